//! Addresses in CIDR notation, IPv4 and IPv6: judged, compared by what they mean, and written in one form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// A block of addresses without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no block that can be shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrFault {
    #[error("an address looks like 198.51.100.7, 198.51.100.0/24 or 2001:db8::/48")]
    Malformed,
    #[error("the address has bits beyond its prefix: write the block's first address")]
    HostBits,
    #[error("that is everybody, also whoever has to work on this")]
    Everybody,
}

impl Cidr {
    /// Reads an address, or a block of them.
    ///
    /// # Errors
    /// It is none, or is everybody.
    pub fn parse(text: &str) -> Result<Self, CidrFault> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrFault::Malformed)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(CidrFault::Malformed)?,
        };
        if bits == 0 {
            return Err(CidrFault::Everybody);
        }
        let network = match address {
            IpAddr::V4(it) => IpAddr::V4(Ipv4Addr::from_bits(it.to_bits() & (u32::MAX << (32 - u32::from(bits))))),
            IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() & (u128::MAX << (128 - u32::from(bits))))),
        };
        if network == address { Ok(Self { address, bits }) } else { Err(CidrFault::HostBits) }
    }

    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrFault;

    fn try_from(text: String) -> Result<Self, CidrFault> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_compared_by_what_they_mean() {
        let same = |one: &str, other: &str| assert_eq!(Cidr::parse(one).unwrap(), Cidr::parse(other).unwrap());
        same("198.51.100.7", "198.51.100.7/32");
        assert_eq!(serde_json::to_string(&Cidr::parse("198.51.100.7").unwrap()).unwrap(), r#""198.51.100.7/32""#);
        same("2001:db8::/48", "2001:0DB8:0000:0000:0000:0000:0000:0000/48");
        assert_eq!(Cidr::parse("2001:0db8:0:0::/48").unwrap().to_string(), "2001:db8::/48");
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for (text, fault) in [
            ("198.51.100", CidrFault::Malformed),
            ("198.51.100.0/33", CidrFault::Malformed),
            ("198.51.100.0/x", CidrFault::Malformed),
            ("198.51.100.7/24", CidrFault::HostBits),
            ("2001:db8::1/48", CidrFault::HostBits),
            ("0.0.0.0/0", CidrFault::Everybody),
            ("::/0", CidrFault::Everybody),
        ] {
            assert_eq!(Cidr::parse(text), Err(fault), "{text}");
        }
    }
}
