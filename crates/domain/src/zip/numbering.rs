//! Numbers for documents whose names are equal, such as `name(1).ext`.
//!
//! Names are compared by their *comparison key*, which ignores case. The *template* of a name
//! stands for all names that it can get from numbers of the same length.

use std::collections::{HashMap, HashSet};

use super::names::{EntryName, MANIFEST_NAME};

/// Names in use, and the next number of each template.
struct Numbering {
    /// Comparison keys of all names of the list, of the manifest, and of all numbered names.
    taken: HashSet<String>,
    /// Next number for each template. Names with the same template share their numbers, so each
    /// number is tried only once.
    next: HashMap<String, u64>,
}

/// Returns a safe name for each document, in the same order. All names differ from each other and
/// from [`MANIFEST_NAME`].
///
/// The first document of a name retains the name. The others get numbers: `name(1).ext`,
/// `name(2).ext` and so on. A number is skipped if the result is the name of another document.
///
/// Two names are equal if they differ only in case or in their Unicode normal form. The names
/// retain their spelling. The time is proportional to the number of names, even if all are equal.
///
/// ```
/// let names = docferry_domain::zip::entry_names(["a.pdf", "A.PDF", "a(1).pdf", "../x", "con"]);
/// let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
/// assert_eq!(names, ["a.pdf", "A(2).PDF", "a(1).pdf", ".._x", "_con"]);
/// ```
pub fn entry_names<'a>(file_names: impl IntoIterator<Item = &'a str>) -> Vec<EntryName> {
    let names: Vec<EntryName> = file_names.into_iter().map(EntryName::adapted_from).collect();
    let keys: Vec<String> = names.iter().map(EntryName::comparison_key).collect();
    let manifest = MANIFEST_NAME.to_owned();
    let taken = keys.iter().cloned().chain([manifest.clone()]).collect();
    let mut numbering = Numbering { taken, next: HashMap::new() };
    let mut assigned = HashSet::from([&manifest]);
    let numbered = names.into_iter().zip(&keys).map(|(name, key)| {
        if assigned.insert(key) { name } else { numbering.assign_number(&name) }
    });
    numbered.collect()
}

impl Numbering {
    /// Returns the name with the first number that is free.
    fn assign_number(&mut self, name: &EntryName) -> EntryName {
        let mut digits = 1;
        loop {
            // A longer number may need a shorter stem, which other names may have as well. So the
            // template depends on the number of digits.
            let next = self.next.entry(name.number_template(digits)).or_insert(1);
            let number = (*next).max(smallest_number(digits));
            if digits_of(number) > digits {
                digits = digits_of(number);
                continue;
            }
            *next = number.saturating_add(1);
            let numbered = name.numbered(number);
            if self.taken.insert(numbered.comparison_key()) {
                return numbered;
            }
        }
    }
}

/// Returns the number of decimal digits of a number, which is at least 1.
fn digits_of(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |power| power as usize + 1)
}

/// Returns the smallest positive number with this number of decimal digits.
fn smallest_number(digits: usize) -> u64 {
    let power = u32::try_from(digits.saturating_sub(1)).unwrap_or(u32::MAX);
    10_u64.saturating_pow(power)
}
