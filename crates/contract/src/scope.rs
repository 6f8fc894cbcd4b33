//! Scopes: the permissions that a caller's access token grants.
//!
//! The authorizer reads the scopes from the token and passes them to the functions behind the API
//! as names separated by spaces.

use std::fmt;

/// Permission of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read the caller's own jobs and download their results.
    Read,
    /// Request documents, and cancel or retry these requests.
    Write,
    /// Request documents on behalf of another person.
    Delegate,
    /// See the documents of all subjects, without a claim or a grant.
    Documents,
    /// Act as a service that sends documents to recipients of its choice, as SCV does.
    Service,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Write, Self::Delegate, Self::Documents, Self::Service];

    /// Returns the name in tokens and in the authorizer's context.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "docferry.read",
            Self::Write => "docferry.write",
            Self::Delegate => "docferry.delegate",
            Self::Documents => "docferry.documents",
            Self::Service => "docferry.service",
        }
    }

    /// Returns the bit of the scope in [`Scopes`].
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Set of scopes of a caller, stored as one bit for each scope. The default is the empty set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Parses names separated by spaces. Unknown names are ignored, because an issuer also
    /// grants permissions of other systems.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }

    /// Returns whether the set contains the scope.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(scope.bit())
    }
}

/// Collects scopes by their names. Unknown names are ignored.
impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let scope_named = |name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        Self(names.into_iter().filter_map(scope_named).fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Writes the names separated by spaces, always in the same order.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = Scope::ALL.into_iter().filter(|scope| self.has(*scope));
        for (index, scope) in members.enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(f, "{separator}{}", scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_a_round_trip_and_unknown_ones_are_dropped() {
        let text = "openid  docferry.service email docferry.read docferry.readx DOCFERRY.WRITE";
        let scopes = Scopes::parse(text);
        assert!(scopes.has(Scope::Read) && scopes.has(Scope::Service));
        assert!(!scopes.has(Scope::Write) && !scopes.has(Scope::Delegate));
        assert_eq!(scopes.to_string(), "docferry.read docferry.service");
        assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
        assert_eq!(Scopes::parse("").to_string(), "");
    }
}
