//! The record of a member, the second of its two registers: one byte string that only its owner
//! makes, kept, hashed and passed on verbatim (W7).
//!
//! ```text
//! flags 1 | [versions 2] | address 6 or 18 | [name 1 + n] | [metadata 2 + m] | later fields
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use crate::hash::{HashDomain, hash64};
use crate::later::{LaterFields, Timing};
use crate::limits::{METADATA_BYTES_MAX, NAME_BYTES_MAX, RECORD_BYTES_MAX};

const FLAG_IPV6: u8 = 1;
const FLAG_VERSIONS: u8 = 1 << 1;
const FLAG_NAME: u8 = 1 << 2;
const FLAG_METADATA: u8 = 1 << 3;
const FLAGS_KNOWN: u8 = FLAG_IPV6 | FLAG_VERSIONS | FLAG_NAME | FLAG_METADATA;

/// The protocol versions that a member speaks, both ends included. Now 0 to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Versions {
    /// The oldest.
    pub min: u8,
    /// The newest.
    pub max: u8,
}

/// Why bytes are not a record, or fields do not make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end inside a field.
    #[error("the record ends inside its {0}")]
    Truncated(&'static str),
    /// A field is written in another way than the one way there is.
    #[error("the record's {0} is not written canonically")]
    NotCanonical(&'static str),
    /// The name is longer than 128 bytes.
    #[error("a name of {0} bytes is too long; {NAME_BYTES_MAX} bytes is the most")]
    NameTooLong(usize),
    /// The name is not UTF-8 or holds control characters.
    #[error("a name is UTF-8 text without control characters")]
    NameText,
    /// The metadata is longer than 512 bytes.
    #[error("metadata of {0} bytes is too long; {METADATA_BYTES_MAX} bytes is the most")]
    MetadataTooLong(usize),
    /// The whole is longer than 700 bytes.
    #[error("a record of {0} bytes is too long; {RECORD_BYTES_MAX} bytes is the most")]
    TooLong(usize),
    /// The address is unusable: port 0, or an unspecified, multicast or broadcast host.
    #[error("{0} is no address that a member can be reached at")]
    Address(SocketAddr),
    /// The oldest version is above the newest.
    #[error("the versions {min} to {max} are no range")]
    Versions {
        /// The oldest, as given.
        min: u8,
        /// The newest, as given.
        max: u8,
    },
}

/// A record read: its fields, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFields<'a> {
    /// Where the member is reached.
    pub address: SocketAddr,
    /// Which protocol versions it speaks.
    pub versions: Versions,
    /// Its name, for people; may be empty.
    pub name: &'a str,
    /// What its application says of it.
    pub metadata: &'a [u8],
    /// What stands behind the other fields, as it came: see [`later_fields`](Self::later_fields).
    pub later: &'a [u8],
}

impl<'a> RecordFields<'a> {
    /// Reads a record. What it accepts is canonical: the same fields give the same bytes.
    ///
    /// # Errors
    /// When the bytes break any rule of W7.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let mut rest = bytes;
        let flags = take(&mut rest, 1, "flags")?[0];
        if flags & !FLAGS_KNOWN != 0 {
            return Err(RecordError::NotCanonical("flags"));
        }
        let versions = parse_versions(flags, &mut rest)?;
        let address = parse_address(flags & FLAG_IPV6 != 0, take_address(flags, &mut rest)?);
        check_address(address)?;
        if address.ip() != address.ip().to_canonical() {
            return Err(RecordError::NotCanonical("address"));
        }
        let name = parse_name(flags, &mut rest)?;
        let metadata = parse_metadata(flags, &mut rest)?;
        Ok(Self { address, versions, name, metadata, later: rest })
    }

    /// The later fields. Bytes that break their format are kept, but none is read from them.
    pub fn later_fields(&self) -> LaterFields<'a> {
        LaterFields::parse(self.later).unwrap_or_default()
    }

    /// Writes the record of these fields. An IPv4 address in IPv6's clothes (`::ffff:a.b.c.d`) is
    /// written as IPv4, for peers compare it with where datagrams come from; scope and flow label
    /// mean nothing to them and are left out.
    ///
    /// # Errors
    /// When a field is out of its bounds (W7).
    pub fn build(&self) -> Result<Record, RecordError> {
        let host = self.address.ip().to_canonical();
        check_address(SocketAddr::new(host, self.address.port()))?;
        check_name(self.name)?;
        if self.versions.min > self.versions.max {
            return Err(RecordError::Versions { min: self.versions.min, max: self.versions.max });
        }
        if self.metadata.len() > METADATA_BYTES_MAX {
            return Err(RecordError::MetadataTooLong(self.metadata.len()));
        }
        let mut bytes = Vec::with_capacity(32 + self.name.len() + self.metadata.len());
        let mut flags = 0;
        bytes.push(0);
        if self.versions != Versions::default() {
            flags |= FLAG_VERSIONS;
            bytes.extend([self.versions.min, self.versions.max]);
        }
        if host.is_ipv6() {
            flags |= FLAG_IPV6;
        }
        bytes.extend(write_address(self.address, &mut [0; ADDRESS_BYTES_MAX]));
        if !self.name.is_empty() {
            flags |= FLAG_NAME;
            bytes.push(self.name.len() as u8);
            bytes.extend(self.name.as_bytes());
        }
        if !self.metadata.is_empty() {
            flags |= FLAG_METADATA;
            bytes.extend((self.metadata.len() as u16).to_le_bytes());
            bytes.extend(self.metadata);
        }
        bytes.extend(self.later);
        bytes[0] = flags;
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong(bytes.len()));
        }
        Ok(Record::from_checked(&bytes))
    }
}

fn take<'a>(rest: &mut &'a [u8], n: usize, field: &'static str) -> Result<&'a [u8], RecordError> {
    let (taken, after) = rest.split_at_checked(n).ok_or(RecordError::Truncated(field))?;
    *rest = after;
    Ok(taken)
}

fn parse_versions(flags: u8, rest: &mut &[u8]) -> Result<Versions, RecordError> {
    if flags & FLAG_VERSIONS == 0 {
        return Ok(Versions::default());
    }
    let bytes = take(rest, 2, "versions")?;
    let versions = Versions { min: bytes[0], max: bytes[1] };
    if versions == Versions::default() {
        return Err(RecordError::NotCanonical("versions"));
    }
    if versions.min > versions.max {
        return Err(RecordError::Versions { min: versions.min, max: versions.max });
    }
    Ok(versions)
}

fn take_address<'a>(flags: u8, rest: &mut &'a [u8]) -> Result<&'a [u8], RecordError> {
    take(rest, if flags & FLAG_IPV6 == 0 { 6 } else { 18 }, "address")
}

/// The bytes of an IPv6 address and a port.
pub(crate) const ADDRESS_BYTES_MAX: usize = 18;

/// Writes an address as records do, in 6 or 18 bytes; one of IPv4 in IPv6's clothes as IPv4.
pub(crate) fn write_address(address: SocketAddr, bytes: &mut [u8; ADDRESS_BYTES_MAX]) -> &[u8] {
    let length = match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            bytes[..4].copy_from_slice(&ip.octets());
            4
        }
        IpAddr::V6(ip) => {
            bytes[..16].copy_from_slice(&ip.octets());
            16
        }
    };
    bytes[length..length + 2].copy_from_slice(&address.port().to_le_bytes());
    &bytes[..length + 2]
}

/// Reads an address as records have it; `None`: the bytes are not as many, or it is written in another way.
pub(crate) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let address = match bytes.len() {
        6 => parse_address(false, bytes),
        ADDRESS_BYTES_MAX => parse_address(true, bytes),
        _ => return None,
    };
    // There is one way to write it.
    Some(address).filter(|address| address.ip() == address.ip().to_canonical())
}

/// Reads the 6 or 18 bytes of an address. The caller has counted them.
fn parse_address(ipv6: bool, bytes: &[u8]) -> SocketAddr {
    let (host, port) = bytes.split_at(bytes.len() - 2);
    let port = u16::from_le_bytes([port[0], port[1]]);
    let ip: IpAddr = if ipv6 {
        let mut octets = [0; 16];
        octets.copy_from_slice(host);
        Ipv6Addr::from(octets).into()
    } else {
        Ipv4Addr::new(host[0], host[1], host[2], host[3]).into()
    };
    SocketAddr::new(ip, port)
}

fn check_address(address: SocketAddr) -> Result<(), RecordError> {
    let ip = address.ip();
    let many = ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.port() == 0 || ip.is_unspecified() || many {
        return Err(RecordError::Address(address));
    }
    Ok(())
}

fn parse_name<'a>(flags: u8, rest: &mut &'a [u8]) -> Result<&'a str, RecordError> {
    if flags & FLAG_NAME == 0 {
        return Ok("");
    }
    let length = take(rest, 1, "name")?[0];
    if length == 0 {
        return Err(RecordError::NotCanonical("name"));
    }
    let name = core::str::from_utf8(take(rest, usize::from(length), "name")?)
        .map_err(|_| RecordError::NameText)?;
    check_name(name)?;
    Ok(name)
}

fn check_name(name: &str) -> Result<(), RecordError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(RecordError::NameTooLong(name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(RecordError::NameText);
    }
    Ok(())
}

fn parse_metadata<'a>(flags: u8, rest: &mut &'a [u8]) -> Result<&'a [u8], RecordError> {
    if flags & FLAG_METADATA == 0 {
        return Ok(&[]);
    }
    let length = take(rest, 2, "metadata")?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    match length {
        0 => Err(RecordError::NotCanonical("metadata")),
        1..=METADATA_BYTES_MAX => take(rest, length, "metadata"),
        _ => Err(RecordError::MetadataTooLong(length)),
    }
}

/// How many bytes of a record are kept without an allocation of their own: an IPv4 address with a
/// short name.
const INLINE: usize = 22;

/// A checked record, kept as its bytes. Short ones (up to 22 bytes) need no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

const _: () = assert!(size_of::<Record>() == 24, "a table of many members counts on it");

impl Record {
    /// Takes `bytes` if they are a record.
    ///
    /// # Errors
    /// As [`RecordFields::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        RecordFields::parse(bytes)?;
        Ok(Self::from_checked(bytes))
    }

    fn from_checked(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match inline.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self(Repr::Inline { length: bytes.len() as u8, bytes: inline })
            }
            None => Self(Repr::Heap(bytes.into())),
        }
    }

    /// The bytes, as they came and as they go on.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// The fields.
    pub fn fields(&self) -> RecordFields<'_> {
        RecordFields::parse(self.as_bytes()).expect("a record is checked when it is made")
    }

    /// The bytes without the later fields. There is one way to write given fields, so two of them are
    /// equal exactly where address, versions, name and metadata are: what users see of a member.
    pub fn visible(&self) -> &[u8] {
        let bytes = self.as_bytes();
        &bytes[..bytes.len() - self.fields().later.len()]
    }

    /// For how long the member may be silent, zero if it does not say so.
    pub fn patience(&self) -> Duration {
        self.fields().later_fields().patience()
    }

    /// This record with another patience, in units of 100 ms, rounded up; up to 6,553.5 s. Zero takes
    /// the field out, and all others stay as they are.
    ///
    /// # Errors
    /// When the later fields leave no room for it, or break their format.
    pub fn with_patience(&self, patience: Duration) -> Result<Self, RecordError> {
        self.with_later(|later| later.with_patience(patience))
    }

    /// The timing that the member uses, that of `lan` if it does not say it.
    pub fn timing(&self) -> Timing {
        self.fields().later_fields().timing()
    }

    /// This record with another timing; that of `lan` takes the field out.
    ///
    /// # Errors
    /// As [`with_patience`](Self::with_patience).
    pub fn with_timing(&self, timing: Timing) -> Result<Self, RecordError> {
        self.with_later(|later| later.with_timing(timing))
    }

    /// When the member's process started, in seconds of Unix time, if it says so.
    pub fn start(&self) -> Option<u32> {
        self.fields().later_fields().start()
    }

    /// This record with another start, in seconds of Unix time; `None` takes the field out.
    ///
    /// # Errors
    /// As [`with_patience`](Self::with_patience).
    pub fn with_start(&self, start: Option<u32>) -> Result<Self, RecordError> {
        self.with_later(|later| later.with_start(start))
    }

    fn with_later(
        &self,
        change: impl FnOnce(LaterFields<'_>) -> Vec<u8>,
    ) -> Result<Self, RecordError> {
        let fields = self.fields();
        let later = LaterFields::parse(fields.later);
        let later = later.ok_or(RecordError::NotCanonical("later fields"))?;
        RecordFields { later: &change(later), ..fields }.build()
    }

    /// Where the member is reached; cheaper than all [`fields`](Self::fields).
    pub fn address(&self) -> SocketAddr {
        let bytes = self.as_bytes();
        let flags = bytes[0];
        let start = if flags & FLAG_VERSIONS == 0 { 1 } else { 3 };
        let ipv6 = flags & FLAG_IPV6 != 0;
        parse_address(ipv6, &bytes[start..start + if ipv6 { 18 } else { 6 }])
    }

    /// The hash that orders records of one incarnation (M1).
    pub fn hash(&self) -> u64 {
        hash64(HashDomain::Record, self.as_bytes())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().fmt(f)
    }
}

#[cfg(test)]
mod tests;
