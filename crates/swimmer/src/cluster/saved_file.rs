//! The snapshot as bytes: what a node keeps over a restart, checked as a whole.
//!
//! ```text
//! magic 8 | version 1 | length of what follows the check 4 | check 4 |
//! id 16 | cluster tag 8 | incarnation 8 | [pause 4] |
//! count 2 | count addresses of family 1, host 4 or 16, port 2
//! ```
//!
//! Version 2 has the longest pause, in milliseconds and not 0. A node that does not pause writes
//! version 1, which earlier programs read too. Integers are little-endian, except for the bytes of an
//! address. The check is the CRC-32 of all bytes except itself: whatever is cut off or damaged in it is
//! found.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use swim_membership::SavedState;
use swim_proto::{ClusterTag, Incarnation, NodeId};

const MAGIC: &[u8; 8] = b"swimsnap";
/// Without and with a pause.
const VERSION: u8 = 1;
const VERSION_PAUSE: u8 = 2;
const HEAD_BYTES: usize = 17;
/// A longer file is none of ours: 1,024 addresses take less.
pub(super) const BYTES_MAX: usize = 32 * 1_024;

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

/// Whose state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: NodeId,
    pub(super) cluster: ClusterTag,
}

pub(super) fn encode(owner: Owner, state: &SavedState) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(owner.id.as_bytes());
    body.extend_from_slice(&owner.cluster.0.to_le_bytes());
    body.extend_from_slice(&state.incarnation.0.to_le_bytes());
    let pause = u32::try_from(state.pause.as_millis()).unwrap_or(u32::MAX);
    if pause > 0 {
        body.extend_from_slice(&pause.to_le_bytes());
    }
    let count = u16::try_from(state.addresses.len()).unwrap_or(u16::MAX);
    body.extend_from_slice(&count.to_le_bytes());
    for address in &state.addresses[..usize::from(count)] {
        match address.ip() {
            IpAddr::V4(ip) => {
                body.push(FAMILY_V4);
                body.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                body.push(FAMILY_V6);
                body.extend_from_slice(&ip.octets());
            }
        }
        body.extend_from_slice(&address.port().to_be_bytes());
    }
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.push(if pause > 0 { VERSION_PAUSE } else { VERSION });
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&check(&bytes, &body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn check(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

/// What the bytes say, or what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<(Owner, SavedState), String> {
    let mut reader = Reader(bytes);
    if reader.array()? != *MAGIC {
        return Err("it does not begin as a snapshot does".into());
    }
    let [version] = reader.array()?;
    if version != VERSION && version != VERSION_PAUSE {
        return Err(format!(
            "it is of version {version}, and this program reads versions {VERSION} and {VERSION_PAUSE}"
        ));
    }
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let expected = u32::from_le_bytes(reader.array()?);
    if reader.0.len() != length {
        let found = reader.0.len();
        return Err(format!("{length} bytes should follow its head, and {found} do"));
    }
    if check(&bytes[..HEAD_BYTES - 4], reader.0) != expected {
        return Err("its check does not match".into());
    }
    decode_body(version, reader)
}

/// Even where the check matches, nothing is taken that [`encode`] does not write.
fn decode_body(version: u8, mut reader: Reader<'_>) -> Result<(Owner, SavedState), String> {
    let id = NodeId::from_bytes(reader.array()?);
    let cluster = ClusterTag(u64::from_le_bytes(reader.array()?));
    let incarnation = Incarnation(u64::from_le_bytes(reader.array()?));
    if incarnation < Incarnation::FIRST {
        return Err("it has no incarnation".into());
    }
    let pause = if version == VERSION { 0 } else { u32::from_le_bytes(reader.array()?) };
    if version == VERSION_PAUSE && pause == 0 {
        return Err("it has no pause".into());
    }
    let pause = Duration::from_millis(pause.into());
    let count = u16::from_le_bytes(reader.array()?);
    let addresses = (0..count).map(|_| reader.address()).collect::<Result<_, _>>()?;
    if !reader.0.is_empty() {
        return Err("something follows its last address".into());
    }
    Ok((Owner { id, cluster }, SavedState { incarnation, addresses, pause }))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.0.split_first_chunk().ok_or("it is cut off")?;
        self.0 = rest;
        Ok(*head)
    }

    fn address(&mut self) -> Result<SocketAddr, String> {
        let [family] = self.array()?;
        let ip: IpAddr = match family {
            FAMILY_V4 => self.array::<4>()?.into(),
            FAMILY_V6 => self.array::<16>()?.into(),
            _ => return Err("it has an address of an unknown family".into()),
        };
        let port = u16::from_be_bytes(self.array()?);
        if port == 0 || ip.is_unspecified() || ip.is_multicast() {
            return Err("it has an address at which nobody can be".into());
        }
        Ok(SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn example() -> (Owner, SavedState) {
        let owner = Owner { id: NodeId::from_bytes([7; 16]), cluster: ClusterTag(9) };
        let addresses = ["127.0.0.1:2552", "[2001:db8::1]:7946", "10.1.2.3:1"];
        let addresses = addresses.map(|address| address.parse().unwrap()).to_vec();
        (owner, SavedState { incarnation: Incarnation(65), addresses, pause: Duration::ZERO })
    }

    /// Without and with a pause.
    fn examples() -> [(Owner, SavedState); 2] {
        let (owner, state) = example();
        [
            (owner, state.clone()),
            (owner, SavedState { pause: Duration::from_millis(5_123), ..state }),
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        for (owner, state) in examples() {
            assert_eq!(decode(&encode(owner, &state)), Ok((owner, state)));
        }
        let (owner, _) = example();
        let first = SavedState::default();
        assert_eq!(decode(&encode(owner, &first)), Ok((owner, first)));
    }

    #[test]
    fn the_most_that_is_kept_fits_the_file() {
        let (owner, mut state) = example();
        state.addresses = vec!["[2001:db8::1]:7946".parse().unwrap(); 1_024];
        state.pause = Duration::MAX;
        assert!(encode(owner, &state).len() <= BYTES_MAX);
    }

    #[test]
    fn the_bytes_are_those_of_version_1() {
        let owner = Owner { id: NodeId::from_bytes([0x11; 16]), cluster: ClusterTag(0x0807) };
        let addresses = vec!["127.0.0.1:2552".parse().unwrap()];
        let first = SavedState { incarnation: Incarnation(65), ..SavedState::default() };
        let bytes = encode(owner, &SavedState { addresses, ..first });
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (head, body) = hex.split_at(2 * HEAD_BYTES);
        assert_eq!(head, "7377696d736e617001290000006fd3bcff");
        let parts = [
            "11".repeat(16).as_str(),
            "0708000000000000",
            "4100000000000000",
            "0100",
            "047f00000109f8",
        ]
        .concat();
        assert_eq!(body, parts);
    }

    #[test]
    fn the_bytes_are_those_of_version_2_where_there_is_a_pause() {
        let owner = Owner { id: NodeId::from_bytes([0x11; 16]), cluster: ClusterTag(0x0807) };
        let pause = Duration::from_millis(5_123);
        let state = SavedState { incarnation: Incarnation(65), addresses: Vec::new(), pause };
        let hex: String = encode(owner, &state).iter().map(|byte| format!("{byte:02x}")).collect();
        let (head, body) = hex.split_at(2 * HEAD_BYTES);
        assert_eq!(&head[..26], "7377696d736e61700226000000");
        let id = "11".repeat(16);
        assert_eq!(
            body,
            [&id, "0708000000000000", "4100000000000000", "03140000", "0000"].concat()
        );
    }

    #[test]
    fn cut_off_at_any_length_it_is_refused() {
        for (owner, state) in examples() {
            let bytes = encode(owner, &state);
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "at {length}");
            }
            assert!(decode(&[&bytes[..], &[0]].concat()).is_err(), "and so is one that goes on");
        }
    }

    #[test]
    fn with_any_byte_changed_it_is_refused() {
        for (owner, state) in examples() {
            let bytes = encode(owner, &state);
            for at in 0..bytes.len() {
                for change in 1..=255 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= change;
                    assert!(decode(&bytes).is_err(), "byte {at} changed by {change:#x}");
                }
            }
        }
    }

    /// Somebody may compute the check anew, or our own code be wrong.
    #[test]
    fn what_makes_no_sense_is_refused_in_spite_of_its_check() {
        let (owner, state) = example();
        let body = encode(owner, &state).split_off(HEAD_BYTES);
        let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut body = body.clone();
            change(&mut body);
            decode_body(VERSION, Reader(&body)).unwrap_err()
        };
        assert!(damaged(&|body| body[24..32].fill(0)).contains("incarnation"));
        assert!(damaged(&|body| body[32] += 1).contains("cut off"));
        assert!(damaged(&|body| body[32] -= 1).contains("follows"));
        assert!(damaged(&|body| body[34] = 5).contains("family"));
        assert!(damaged(&|body| body[35..39].fill(0)).contains("nobody"));
        assert!(damaged(&|body| body[39..41].fill(0)).contains("nobody"));
        let [_, (owner, state)] = examples();
        let mut body = encode(owner, &state).split_off(HEAD_BYTES);
        body[32..36].fill(0);
        assert!(decode_body(VERSION_PAUSE, Reader(&body)).unwrap_err().contains("pause"));
    }
}
