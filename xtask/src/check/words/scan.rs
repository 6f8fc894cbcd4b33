//! Finds the words of a source file: identifiers, comments and log messages.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::list::Place;

/// Macros whose string literals are log messages.
const LOG_MACROS: [&str; 6] = ["debug", "error", "event", "info", "trace", "warn"];

/// A text in which a word may be retired.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: usize,
    pub(super) place: Place,
    pub(super) text: String,
    /// Words of the text in lower case, each between two spaces.
    words: String,
}

impl Found {
    fn new(line: usize, place: Place, text: &str) -> Self {
        let words = match place {
            Place::Part | Place::Test => parts(text),
            Place::Prose => words(text),
            Place::Name | Place::Function | Place::Opening => String::new(),
        };
        Self { line, place, text: text.to_owned(), words }
    }

    /// Returns whether the text is `word` or, where parts count, contains it.
    pub(super) fn uses(&self, word: &str) -> bool {
        match self.place {
            Place::Name | Place::Function | Place::Opening => self.text == word,
            Place::Part | Place::Test | Place::Prose => self.words.contains(&format!(" {word} ")),
        }
    }
}

/// Returns the names, comments and log messages of a file. The order is that of the places.
pub(super) fn scan(text: &str) -> Result<Vec<Found>> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("invalid Rust: {error}"))?;
    let mut found = Vec::new();
    scan_tokens(tokens, &mut found);
    for (index, line) in text.lines().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
        let comment = comment.trim_start_matches(['/', '!']).trim_start();
        let opening = comment.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        found.push(Found::new(index + 1, Place::Prose, comment));
        found.push(Found::new(index + 1, Place::Opening, opening));
    }
    Ok(found)
}

fn scan_tokens(tokens: TokenStream, found: &mut Vec<Found>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut is_test = false;
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &tokens[index]);
        match token {
            TokenTree::Ident(name) => {
                let text = name.to_string();
                let text = text.trim_start_matches("r#");
                let line = name.span().start().line;
                let mut add = |place| found.push(Found::new(line, place, text));
                add(Place::Name);
                add(Place::Part);
                if matches!(before, Some(TokenTree::Ident(word)) if word == "fn") {
                    add(Place::Function);
                    if std::mem::take(&mut is_test) {
                        add(Place::Test);
                    }
                }
            }
            TokenTree::Group(group) => {
                let is_log = index >= 2
                    && is_punct(&tokens[index - 1], '!')
                    && LOG_MACROS.iter().any(|name| tokens[index - 2].to_string() == *name);
                if is_log {
                    scan_messages(group.stream(), found);
                }
                let is_attribute = group.delimiter() == Delimiter::Bracket
                    && before.is_some_and(|b| is_punct(b, '#'));
                // `#[test]`, `#[tokio::test]`
                is_test |= is_attribute
                    && group.stream().into_iter().any(|token| token.to_string() == "test");
                scan_tokens(group.stream(), found);
            }
            _ => {}
        }
    }
}

fn scan_messages(tokens: TokenStream, found: &mut Vec<Found>) {
    for token in tokens {
        let line = token.span().start().line;
        let text = token.to_string();
        if matches!(token, TokenTree::Literal(_)) && text.starts_with('"') {
            found.push(Found::new(line, Place::Prose, &text));
        }
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Returns the parts of an identifier: ` free slot ` for `free_slot` and `FreeSlot`.
fn parts(identifier: &str) -> String {
    let mut parts = String::from(" ");
    let mut after_lowercase = false;
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_uppercase() && after_lowercase) {
            parts.push(' ');
        }
        after_lowercase = letter.is_lowercase();
        parts.extend(letter.to_lowercase().filter(|letter| *letter != '_'));
    }
    parts + " "
}

/// Returns the words of a text: ` sweep failed ` for `"Sweep failed"`.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(String::from(" "), |words, word| words + &word.to_lowercase() + " ")
}
