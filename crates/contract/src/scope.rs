//! What a caller may do, as the authorizer tells it to the functions.

use std::fmt;

/// One right of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Look at one's own jobs and fetch what they made.
    Read,
    /// Ask for documents, and stop or repeat that.
    Write,
    /// Do so for somebody else.
    Delegate,
    /// Be a service that names its recipients, as the courts' viewer does.
    Service,
}

impl Scope {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delegate, Self::Service];

    /// As it stands in tokens and in the authorizer's context.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "docferry.read",
            Self::Write => "docferry.write",
            Self::Delegate => "docferry.delegate",
            Self::Service => "docferry.service",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The rights of a caller; none to begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Reads names with spaces between. What we do not know is dropped: an issuer
    /// gives rights for others as well.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }

    /// Whether this right is among them.
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

/// By name, one right an element; unknown ones are dropped.
impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let known = |name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        Self(names.into_iter().filter_map(known).fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Names with spaces between, always in the same order.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Scope::ALL.into_iter().filter(|scope| self.has(*scope));
        for (at, scope) in held.enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}", scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written_and_unknown_ones_are_dropped() {
        let text = "openid  docferry.service email docferry.read docferry.readx DOCFERRY.WRITE";
        let scopes = Scopes::parse(text);
        assert!(scopes.has(Scope::Read) && scopes.has(Scope::Service));
        assert!(!scopes.has(Scope::Write) && !scopes.has(Scope::Delegate));
        assert_eq!(scopes.to_string(), "docferry.read docferry.service");
        assert_eq!(Scopes::parse(&scopes.to_string()), scopes);
        assert_eq!(Scopes::parse("").to_string(), "");
    }
}
