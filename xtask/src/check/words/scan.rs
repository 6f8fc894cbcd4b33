//! Finds the texts of a Rust source file that the check of words reads: identifiers, comments and
//! log messages. Each text becomes an [`Occurrence`], which the check compares with the retired
//! words.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::list::Place;

/// Macros whose string literals are log messages.
const LOG_MACROS: [&str; 6] = ["debug", "error", "event", "info", "trace", "warn"];

/// A text in a source file, with its line and its place (the kind of text).
#[derive(Debug)]
pub(super) struct Occurrence {
    pub(super) line: usize,
    pub(super) place: Place,
    pub(super) text: String,
    /// Words of the text in lower case, each between two spaces. Empty in a place where the whole
    /// text is compared.
    spaced_words: String,
}

impl Occurrence {
    fn new(line: usize, place: Place, text: &str) -> Self {
        let spaced_words = match place {
            Place::Part | Place::Test => parts_of_identifier(text),
            Place::Prose => words_of_prose(text),
            Place::Name | Place::Function | Place::Opening => String::new(),
        };
        Self { line, place, text: text.to_owned(), spaced_words }
    }

    /// Returns whether `word` occurs in the text. For some places, returns whether the whole text
    /// is `word`.
    pub(super) fn contains(&self, word: &str) -> bool {
        match self.place {
            Place::Name | Place::Function | Place::Opening => self.text == word,
            Place::Part | Place::Test | Place::Prose => {
                self.spaced_words.contains(&format!(" {word} "))
            }
        }
    }
}

/// Returns the identifiers and log messages of a file, and then its comments.
pub(super) fn scan(text: &str) -> Result<Vec<Occurrence>> {
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("invalid Rust: {error}"))?;
    let mut occurrences = Vec::new();
    scan_tokens(tokens, &mut occurrences);
    for (index, line) in text.lines().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("//") else { continue };
        let comment = comment.trim_start_matches(['/', '!']).trim_start();
        let opening =
            comment.split(|character: char| !character.is_alphabetic()).next().unwrap_or_default();
        occurrences.push(Occurrence::new(index + 1, Place::Prose, comment));
        occurrences.push(Occurrence::new(index + 1, Place::Opening, opening));
    }
    Ok(occurrences)
}

/// Adds the identifiers and log messages in tokens.
fn scan_tokens(tokens: TokenStream, occurrences: &mut Vec<Occurrence>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    // Whether the next function has a test attribute.
    let mut is_test = false;
    for (index, token) in tokens.iter().enumerate() {
        let previous = index.checked_sub(1).map(|index| &tokens[index]);
        match token {
            TokenTree::Ident(name) => {
                let text = name.to_string();
                let text = text.trim_start_matches("r#");
                let line = name.span().start().line;
                let mut add = |place| occurrences.push(Occurrence::new(line, place, text));
                add(Place::Name);
                add(Place::Part);
                if matches!(previous, Some(TokenTree::Ident(word)) if word == "fn") {
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
                    scan_messages(group.stream(), occurrences);
                }
                let is_attribute = group.delimiter() == Delimiter::Bracket
                    && previous.is_some_and(|token| is_punct(token, '#'));
                // The attribute may be `#[test]` or `#[tokio::test]`.
                is_test |= is_attribute
                    && group.stream().into_iter().any(|token| token.to_string() == "test");
                scan_tokens(group.stream(), occurrences);
            }
            _ => {}
        }
    }
}

/// Adds the string literals in the arguments of a log macro.
fn scan_messages(tokens: TokenStream, occurrences: &mut Vec<Occurrence>) {
    for token in tokens {
        let line = token.span().start().line;
        let text = token.to_string();
        if matches!(token, TokenTree::Literal(_)) && text.starts_with('"') {
            occurrences.push(Occurrence::new(line, Place::Prose, &text));
        }
    }
}

fn is_punct(token: &TokenTree, expected: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// Returns the parts of an identifier in lower case, each between two spaces. For `free_slot` and
/// `FreeSlot`, this is ` free slot `.
fn parts_of_identifier(identifier: &str) -> String {
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

/// Returns the words of a text in lower case, each between two spaces. For `"Sweep failed"`, this
/// is ` sweep failed `.
fn words_of_prose(text: &str) -> String {
    let words =
        text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(String::from(" "), |words, word| words + &word.to_lowercase() + " ")
}
