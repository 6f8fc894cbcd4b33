//! Source files as what each of their functions calls.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The functions of a source file, by name; those of one name are taken together.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) functions: BTreeMap<String, Body>,
    /// Names of those that belong to a trait's implementation.
    pub(super) of_traits: BTreeSet<String>,
    /// Modules that the file names below `crate::` and `docferry_app::`.
    pub(super) modules: BTreeSet<String>,
    /// Crates of the AWS SDK that it names outside of functions, without `aws_sdk_`.
    pub(super) sdks: BTreeSet<String>,
}

/// What stands in a function.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) calls: Vec<Call>,
    /// Crates of the AWS SDK, without `aws_sdk_`.
    pub(super) sdks: BTreeSet<String>,
}

/// `before.name(…)`, `before::name(…)`, `name(…)`.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: String,
    /// The word right before the name, if the name belongs to something.
    pub(super) before: Option<String>,
    pub(super) is_method: bool,
    pub(super) has_arguments: bool,
    /// What looks like the name of a variable among the arguments.
    pub(super) variables: Vec<String>,
}

impl File {
    /// Reads a file; tests are left out.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow!("no Rust: {error}"))?;
        let mut file = Self::default();
        file.items(&list(tokens), false);
        Ok(file)
    }

    /// Adds what another file of the same module holds.
    pub(super) fn absorb(&mut self, other: Self) {
        for (name, body) in other.functions {
            self.functions.entry(name).or_default().absorb(body);
        }
        self.of_traits.extend(other.of_traits);
        self.modules.extend(other.modules);
        self.sdks.extend(other.sdks);
    }

    /// Goes through items: functions, and blocks that hold functions.
    fn items(&mut self, tokens: &[TokenTree], in_trait_impl: bool) {
        let mut at = 0;
        let mut for_trait = false;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if word == "fn" => {
                    let end = (at..tokens.len())
                        .find(|&i| is_block(&tokens[i]) || is_punct(tokens.get(i), ';'));
                    let end = end.unwrap_or(tokens.len() - 1);
                    if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                        let body = self.functions.entry(name.to_string()).or_default();
                        body.read(&tokens[at + 2..=end], &mut self.modules);
                        if in_trait_impl {
                            self.of_traits.insert(name.to_string());
                        }
                    }
                    at = end;
                }
                TokenTree::Ident(word) if word == "impl" => for_trait = false,
                TokenTree::Ident(word) if word == "for" => for_trait = true,
                TokenTree::Ident(word) => self.sdks.extend(sdk(&word.to_string())),
                TokenTree::Group(group) if is_test_attribute(&tokens[..at], group) => {
                    at += tokens[at..].iter().take_while(|token| !is_block(token)).count();
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.items(&list(group.stream()), for_trait);
                    for_trait = false;
                }
                _ => {}
            }
            self.modules.extend(modules(tokens, at));
            at += 1;
        }
    }
}

impl Body {
    fn absorb(&mut self, other: Self) {
        self.calls.extend(other.calls);
        self.sdks.extend(other.sdks);
    }

    fn read(&mut self, tokens: &[TokenTree], named: &mut BTreeSet<String>) {
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    self.sdks.extend(sdk(&word));
                    self.calls.extend(call(tokens, at, word));
                }
                TokenTree::Group(group) => self.read(&list(group.stream()), named),
                _ => {}
            }
            named.extend(modules(tokens, at));
        }
    }
}

/// The call whose name stands at `at`, if it is one.
fn call(tokens: &[TokenTree], at: usize, name: String) -> Option<Call> {
    let mut open = at + 1;
    // A turbofish may stand between: `name::<Type>(…)`.
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
    let behind = |steps: usize| at.checked_sub(steps).and_then(|i| tokens.get(i));
    let is_method = is_punct(behind(1), '.');
    let steps = if is_method { 2 } else { 3 };
    let belongs = is_method || is_punct(behind(1), ':');
    let before = match behind(steps) {
        Some(TokenTree::Ident(word)) if belongs => Some(word.to_string()),
        _ => None,
    };
    let arguments = list(arguments.stream());
    let has_arguments = !arguments.is_empty();
    let variables = arguments.iter().filter_map(variable).collect();
    Some(Call { name, before, is_method, has_arguments, variables })
}

/// `"SOME_NAME"`: an underscore tells a variable from other words in capitals.
fn variable(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let is_name = text.contains('_')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then(|| text.to_owned())
}

/// The modules in `crate::module` or `docferry_app::{module::…, …}` that end at `at`.
fn modules(tokens: &[TokenTree], at: usize) -> Vec<String> {
    let root = at.checked_sub(3).and_then(|i| tokens.get(i));
    let Some(TokenTree::Ident(root)) = root else { return Vec::new() };
    let is_path = is_punct(tokens.get(at - 1), ':') && is_punct(tokens.get(at - 2), ':');
    if !is_path || (root != "crate" && root != "docferry_app") {
        return Vec::new();
    }
    match &tokens[at] {
        TokenTree::Ident(name) => vec![name.to_string()],
        TokenTree::Group(group) => {
            let members = list(group.stream());
            let begins = |i: usize| i == 0 || is_punct(members.get(i - 1), ',');
            let names = (0..members.len()).filter(|i| begins(*i)).map(|i| members[i].to_string());
            names.collect()
        }
        _ => Vec::new(),
    }
}

/// `aws_sdk_kms` → `kms`.
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
    fn calls_are_found_with_what_they_belong_to_and_tests_are_not_read() {
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
        assert_eq!(file.of_traits, BTreeSet::from(["get".to_owned()]));
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
