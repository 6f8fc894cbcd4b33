//! Patterns for the values of subject identifiers. A pattern validates a value and converts it into
//! its normal form.
//!
//! A *subject* is the court file or patient that a document concerns. Its identifier consists of a
//! system and a value. The configuration of a deployment names a pattern for each system: a
//! *preset*, which this file defines, or a regular expression.

use regex_lite::Regex;

use crate::text::is_printable;

/// Maximum length of a value before it is converted into its normal form, in bytes.
pub(super) const MAX_VALUE_LEN: usize = 128;
/// Maximum length of a court file number, in bytes.
const MAX_COURT_FILE_LEN: usize = 40;
/// Number of digits of an NHS number, including its check digit.
const NHS_NUMBER_LEN: usize = 10;
/// Modulus of the check digit of an NHS number.
const NHS_MODULUS: u32 = 11;

/// Error text for a value that is longer than [`MAX_VALUE_LEN`].
const TOO_LONG: &str = "the value is too long; shorten it to at most 128 bytes";
/// Error text for a value that is not a court file number.
const COURT_FILE_FORM: &str = "the value is not a court file number; write at most 40 letters and \
                               digits, at least one digit, in groups with a single -, / or . \
                               between them, such as VLC-S-S-123456";
/// Error text for a value that is not an NHS number.
const NHS_NUMBER_FORM: &str = "the value is not an NHS number; write all ten digits and check them \
                               for typing errors";
/// Error text for a value that does not match a configured regular expression.
const CUSTOM_FORM: &str = "the value does not match the pattern of its system; write it as the \
                           pattern in the deployment's configuration requires, without spaces at \
                           its ends";

/// Rule for the values of one system.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Number of a court file, such as `VLC-S-S-123456`: groups of letters and digits with `-`,
    /// `/` or `.` between them, stored in upper case.
    CourtFile,
    /// NHS number: nine digits and a check digit (modulus 11), stored without spaces.
    NhsNumber,
    /// Regular expression from the configuration. It must match the whole value, which is stored
    /// unchanged.
    Custom(Regex),
}

impl Pattern {
    /// Name of the preset [`Pattern::CourtFile`].
    const COURT_FILE: &str = "court-file";
    /// Name of the preset [`Pattern::NhsNumber`].
    const NHS_NUMBER: &str = "nhs-number";

    /// Parses a configured pattern: the name of a preset, or a regular expression. Returns `None`
    /// if the text is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            Self::COURT_FILE => Some(Self::CourtFile),
            Self::NHS_NUMBER => Some(Self::NhsNumber),
            // The text must also be a valid expression alone. Otherwise it could close the group
            // that is put around it.
            _ => Regex::new(text)
                .and_then(|_| Regex::new(&format!("^(?:{text})$")))
                .map(Self::Custom)
                .ok(),
        }
    }

    /// Returns the normal form of a value. The error text describes the required form.
    pub(super) fn normalize(&self, value: &str) -> Result<String, &'static str> {
        // The length is checked first, so that a long value costs no further work.
        if value.len() > MAX_VALUE_LEN {
            return Err(TOO_LONG);
        }
        match self {
            Self::CourtFile => {
                let number = value.trim_matches(' ').to_ascii_uppercase();
                let is_group = |group: &str| {
                    !group.is_empty() && group.bytes().all(|b| b.is_ascii_alphanumeric())
                };
                if number.len() <= MAX_COURT_FILE_LEN
                    && number.split(['-', '/', '.']).all(is_group)
                    && number.bytes().any(|b| b.is_ascii_digit())
                {
                    Ok(number)
                } else {
                    Err(COURT_FILE_FORM)
                }
            }
            Self::NhsNumber => {
                let digits: String = value.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
                if is_nhs_number(&digits) { Ok(digits) } else { Err(NHS_NUMBER_FORM) }
            }
            Self::Custom(regex) => {
                let is_valid = !value.is_empty()
                    && value.trim() == value
                    && is_printable(value)
                    && regex.is_match(value);
                if is_valid { Ok(value.to_owned()) } else { Err(CUSTOM_FORM) }
            }
        }
    }
}

/// Returns whether a text is an NHS number: nine digits and a check digit. The check digit is 11
/// minus the weighted sum of the nine digits modulo 11. The result 11 means the check digit 0. The
/// result 10 means that there is no valid number with these nine digits
/// (<https://www.datadictionary.nhs.uk/attributes/nhs_number.html>).
fn is_nhs_number(digits: &str) -> bool {
    if digits.len() != NHS_NUMBER_LEN || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    // The digits have the weights 10 to 2. With the weight 1 for the check digit, the sum of a
    // valid number is a multiple of 11.
    let weights = (1..=10_u32).rev();
    let weighted_digits =
        digits.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    weighted_digits.sum::<u32>().is_multiple_of(NHS_MODULUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COURT: &str = Pattern::COURT_FILE;
    const NHS: &str = Pattern::NHS_NUMBER;

    /// Returns the normal form of `text`, or `None` if the pattern refuses the text.
    fn normal_form(pattern: &str, text: &str) -> Option<String> {
        Pattern::parse(pattern).unwrap().normalize(text).ok()
    }

    #[test]
    fn court_file_number_is_stored_in_upper_case() {
        assert_eq!(normal_form(COURT, " vlc-S-s-123456 ").as_deref(), Some("VLC-S-S-123456"));
        for good in ["12345", "S/1", "S.1", "S-1/2.3", &"1".repeat(40)] {
            assert_eq!(normal_form(COURT, good).as_deref(), Some(good));
        }
        let long = "1".repeat(41);
        for bad in [
            "", "-", "S", "S-", "-1", "S--1", "S 1", "S_1", "S/", ".1", "S/.1", "S-1\n", "ß1",
            "1|2", &long,
        ] {
            assert_eq!(normal_form(COURT, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn nhs_number_needs_its_check_digit() {
        assert_eq!(normal_form(NHS, "943 476 5919").as_deref(), Some("9434765919"));
        assert_eq!(normal_form(NHS, "401-023-2137").as_deref(), Some("4010232137"));
        for bad in ["9434765918", "943476591", "94347659190", "943476591a", "٩434765919", ""] {
            assert_eq!(normal_form(NHS, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn custom_pattern_applies_to_the_whole_value() {
        let mrn = "[0-9]{4}|x[a-z ]*";
        assert_eq!(normal_form(mrn, "1234").as_deref(), Some("1234"));
        for bad in ["12345", "a1234", "1234\n", "", "x ", "x\u{200b}"] {
            assert_eq!(normal_form(mrn, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn length_is_checked_before_the_form() {
        let spaces = |count: usize| " ".repeat(count);
        for (pattern, short) in [(COURT, "12345"), (NHS, "9434765919"), ("[0-9 ]+", "12345")] {
            let pattern = Pattern::parse(pattern).unwrap();
            // Presets ignore spaces, but the length limit includes them.
            let longest = short.replacen('4', &format!("4{}", spaces(MAX_VALUE_LEN)), 1);
            assert_eq!(pattern.normalize(&longest), Err(TOO_LONG));
            assert_ne!(pattern.normalize(&longest[..MAX_VALUE_LEN]), Err(TOO_LONG));
        }
        let padded = format!("{}12345", spaces(MAX_VALUE_LEN - 5));
        assert_eq!(normal_form(COURT, &padded).as_deref(), Some("12345"));
        assert_eq!(normal_form(COURT, &format!(" {padded}")), None);
        assert!(TOO_LONG.contains(&MAX_VALUE_LEN.to_string()));
        assert!(COURT_FILE_FORM.contains(&MAX_COURT_FILE_LEN.to_string()));
    }

    #[test]
    fn errors_describe_the_required_form() {
        for (pattern, bad, hint) in [
            (COURT, "S_1", "with a single -, / or . between them"),
            (NHS, "9434765918", "write all ten digits"),
            ("[0-9]{4}", "12345", "write it as the pattern"),
            ("[0-9]{4}", &"1".repeat(129), "shorten it to at most 128 bytes"),
        ] {
            let error = Pattern::parse(pattern).unwrap().normalize(bad).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
    }

    proptest! {
        #[test]
        fn changed_digit_makes_an_nhs_number_invalid(
            first_digits in proptest::collection::vec(0..10_u32, 9),
            changed_index in 0..10_usize,
            increase in 1..10_u32,
        ) {
            let weights = (2..=10_u32).rev();
            let weighted_digits =
                first_digits.iter().zip(weights).map(|(digit, weight)| digit * weight);
            let sum: u32 = weighted_digits.sum();
            let check_digit = (11 - sum % 11) % 11;
            let text = |digits: &[u32]| digits.iter().map(u32::to_string).collect::<String>();
            let mut digits = first_digits;
            digits.push(check_digit);
            prop_assert_eq!(normal_form(NHS, &text(&digits)).is_some(), check_digit < 10);
            prop_assume!(check_digit < 10);
            digits[changed_index] = (digits[changed_index] + increase) % 10;
            prop_assert_eq!(normal_form(NHS, &text(&digits)), None);
        }

        #[test]
        fn normal_form_of_a_normal_form_is_the_same(
            pattern_index in 0..3_usize,
            text in "[a-zA-Z0-9 ./-]{0,12}",
        ) {
            let pattern = [COURT, NHS, "[0-9]{4}|x[a-z ]*"][pattern_index];
            if let Some(normal) = normal_form(pattern, &text) {
                prop_assert_eq!(normal_form(pattern, &normal), Some(normal.clone()));
            }
        }
    }
}
