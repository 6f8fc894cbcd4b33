//! Parses source files into the calls that each of their functions makes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Functions of a source file by name. Functions of the same name are merged.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) functions: BTreeMap<String, Body>,
    /// Names of the functions in trait implementations.
    pub(super) trait_methods: BTreeSet<String>,
    /// Modules that the file names after `crate::` and `docferry_app::`.
    pub(super) modules: BTreeSet<String>,
    /// Crates of the AWS SDK that the file names outside functions, without `aws_sdk_`.
    pub(super) sdks: BTreeSet<String>,
}

/// Calls and SDK crates in the body of a function.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) calls: Vec<Call>,
    /// Crates of the AWS SDK, without `aws_sdk_`.
    pub(super) sdks: BTreeSet<String>,
}

/// A call: `before.name(…)`, `before::name(…)` or `name(…)`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// The identifier before the name, if the call has a receiver or a path.
    pub(super) before: Option<String>,
    pub(super) is_method: bool,
    pub(super) has_arguments: bool,
    /// Names of environment variables among the arguments.
    pub(super) variables: Vec<String>,
}

impl File {
    /// Parses a file without its tests.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow!("invalid Rust: {error}"))?;
        let mut file = Self::default();
        file.items(&list(tokens), false);
        Ok(file)
    }

    /// Adds the contents of another file of the same module.
    pub(super) fn absorb(&mut self, other: Self) {
        for (name, body) in other.functions {
            self.functions.entry(name).or_default().absorb(body);
        }
        self.trait_methods.extend(other.trait_methods);
        self.modules.extend(other.modules);
        self.sdks.extend(other.sdks);
    }

    /// Processes items: functions, and blocks that contain functions.
    fn items(&mut self, tokens: &[TokenTree], in_trait_impl: bool) {
        let mut index = 0;
        let mut for_trait = false;
        while index < tokens.len() {
            match &tokens[index] {
                TokenTree::Ident(word) if word == "fn" => {
                    let end = (index..tokens.len())
                        .find(|&i| is_block(&tokens[i]) || is_punct(tokens.get(i), ';'));
                    let end = end.unwrap_or(tokens.len() - 1);
                    if let Some(TokenTree::Ident(name)) = tokens.get(index + 1) {
                        let body = self.functions.entry(name.to_string()).or_default();
                        body.read(&tokens[index + 2..=end], &mut self.modules);
                        if in_trait_impl {
                            self.trait_methods.insert(name.to_string());
                        }
                    }
                    index = end;
                }
                TokenTree::Ident(word) if word == "impl" => for_trait = false,
                TokenTree::Ident(word) if word == "for" => for_trait = true,
                TokenTree::Ident(word) => self.sdks.extend(sdk(&word.to_string())),
                TokenTree::Group(group) if is_test_attribute(&tokens[..index], group) => {
                    index += tokens[index..].iter().take_while(|token| !is_block(token)).count();
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.items(&list(group.stream()), for_trait);
                    for_trait = false;
                }
                _ => {}
            }
            self.modules.extend(modules(tokens, index));
            index += 1;
        }
    }
}

impl Body {
    fn absorb(&mut self, other: Self) {
        self.calls.extend(other.calls);
        self.sdks.extend(other.sdks);
    }

    fn read(&mut self, tokens: &[TokenTree], named: &mut BTreeSet<String>) {
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    self.sdks.extend(sdk(&word));
                    self.calls.extend(call(tokens, index, word));
                }
                TokenTree::Group(group) => self.read(&list(group.stream()), named),
                _ => {}
            }
            named.extend(modules(tokens, index));
        }
    }
}

/// Returns the call whose name is at `index`, if it is one.
fn call(tokens: &[TokenTree], index: usize, name: String) -> Option<Call> {
    let mut open = index + 1;
    // Skips a turbofish: `name::<Type>(…)`.
    if is_punct(tokens.get(open), ':') && is_punct(tokens.get(open + 2), '<') {
        let mut depth = 0_usize;
        open += 2;
        loop {
            if is_punct(tokens.get(open), '<') {
                depth += 1;
            } else if is_punct(tokens.get(open), '>') {
                depth -= 1;
            }
            open += 1;
            if depth == 0 || open >= tokens.len() {
                break;
            }
        }
    }
    let TokenTree::Group(arguments) = tokens.get(open)? else { return None };
    if arguments.delimiter() != Delimiter::Parenthesis {
        return None;
    }
    let behind = |steps: usize| index.checked_sub(steps).and_then(|i| tokens.get(i));
    let is_method = is_punct(behind(1), '.');
    let steps = if is_method { 2 } else { 3 };
    let has_prefix = is_method || is_punct(behind(1), ':');
    let before = match behind(steps) {
        Some(TokenTree::Ident(word)) if has_prefix => Some(word.to_string()),
        _ => None,
    };
    let arguments = list(arguments.stream());
    let has_arguments = !arguments.is_empty();
    let variables = arguments.iter().filter_map(variable).collect();
    Some(Call { name, before, is_method, has_arguments, variables })
}

/// Returns the name in a literal such as `"SOME_NAME"`. The underscore distinguishes variables from
/// other uppercase words.
fn variable(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let is_name = text.contains('_')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then(|| text.to_owned())
}

/// Returns the modules in `crate::module` or `docferry_app::{module::…, …}` whose last token is at
/// `index`.
fn modules(tokens: &[TokenTree], index: usize) -> Vec<String> {
    let root = index.checked_sub(3).and_then(|i| tokens.get(i));
    let Some(TokenTree::Ident(root)) = root else { return Vec::new() };
    let is_path = is_punct(tokens.get(index - 1), ':') && is_punct(tokens.get(index - 2), ':');
    if !is_path || (root != "crate" && root != "docferry_app") {
        return Vec::new();
    }
    match &tokens[index] {
        TokenTree::Ident(name) => vec![name.to_string()],
        TokenTree::Group(group) => {
            let members = list(group.stream());
            let is_first = |i: usize| i == 0 || is_punct(members.get(i - 1), ',');
            let names = (0..members.len()).filter(|i| is_first(*i)).map(|i| members[i].to_string());
            names.collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the service of an SDK crate: `kms` for `aws_sdk_kms`.
fn sdk(word: &str) -> Option<String> {
    word.strip_prefix("aws_sdk_").map(str::to_owned)
}

fn list(tokens: TokenStream) -> Vec<TokenTree> {
    tokens.into_iter().collect()
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_test_attribute(before: &[TokenTree], group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket
        && is_punct(before.last(), '#')
        && group.stream().to_string().replace(' ', "") == "cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_parsed_with_their_receivers_and_tests_are_skipped() {
        let file = File::parse(
            r#"use crate::{task::load, TaskError};
            impl Store for Table { async fn get(&self) { self.client.get_item().key(1); } }
            fn other() { load::<Vec<u8>>(x); Put::builder(); reader.required("SOME_NAME", "A_b"); }
            #[cfg(test)] mod tests { fn hidden() {} }
            fn last() { aws_sdk_kms::Client::new(); }"#,
        )
        .unwrap();
        let names: Vec<_> = file.functions.keys().map(String::as_str).collect();
        assert_eq!(names, ["get", "last", "other"]);
        assert_eq!(file.trait_methods, BTreeSet::from(["get".to_owned()]));
        assert_eq!(file.modules, BTreeSet::from(["TaskError", "task"].map(str::to_owned)));
        assert!(file.functions["last"].sdks.contains("kms"));
        let get = &file.functions["get"].calls[0];
        assert_eq!((get.name.as_str(), get.before.as_deref()), ("get_item", Some("client")));
        assert!(get.is_method && !get.has_arguments);
        let other = &file.functions["other"].calls;
        assert_eq!((other[0].name.as_str(), other[0].before.as_deref()), ("load", None));
        assert_eq!((other[1].name.as_str(), other[1].before.as_deref()), ("builder", Some("Put")));
        assert_eq!(other[2].variables, ["SOME_NAME"]);
    }
}
