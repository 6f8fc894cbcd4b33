//! Rule for the addresses that a webhook may connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Set of addresses that a webhook may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallbackRule {
    /// Only addresses of the public internet.
    #[default]
    Public,
    /// Addresses of the public internet, and loopback addresses with or without TLS. Only a
    /// local system uses this rule.
    PublicAndLoopback,
}

impl CallbackRule {
    /// Returns whether a webhook may connect to this address, whether the URL contains the
    /// address or a host name resolved to it.
    ///
    /// Every address that is not known to be public is refused. For IPv4 these are private,
    /// shared, link-local (where clouds have their metadata), documentation, benchmark,
    /// multicast and reserved addresses. For IPv6 these are all addresses outside the
    /// global unicast range, and those inside it that embed an IPv4 address (6to4, Teredo).
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        let is_public = match address {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => is_public_v6(v6),
        };
        is_public || (self == Self::PublicAndLoopback && address.is_loopback())
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match first {
        // This network, private, loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        // Shared by the customers of a provider (RFC 6598).
        100 => matches!(second, 64..=127),
        169 => second == 254,
        172 => matches!(second, 16..=31),
        // Protocol assignments, documentation, 6to4 relays, private.
        192 => matches!((second, third), (0, 0 | 2) | (88, 99) | (168, _)),
        // Benchmarks, documentation.
        198 => matches!((second, third), (18 | 19, _) | (51, 100)),
        203 => matches!((second, third), (0, 113)),
        _ => false,
    };
    !is_special
}

const fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3. This excludes the unspecified, loopback, unique local,
    // link-local, site-local and multicast addresses, and the mapped and translated IPv4
    // addresses (::ffff:0:0/96, 64:ff9b::/96).
    let is_global_unicast = first >> 13 == 1;
    let is_special = match first {
        // Protocol assignments (including Teredo), documentation.
        0x2001 => second < 0x0200 || second == 0x0db8,
        // 6to4.
        0x2002 => true,
        // Documentation.
        0x3fff => second < 0x1000,
        _ => false,
    };
    is_global_unicast && !is_special
}
