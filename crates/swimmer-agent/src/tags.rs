//! Tags: KEY=VALUE pairs in a member's metadata, sorted by key, one a line.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The key under which metadata that is no tags is shown, in base64.
const UNREADABLE: &str = "?";

/// One tag of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    key: String,
    value: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("a tag is KEY=VALUE".into());
        };
        if key.is_empty() {
            return Err("a tag's key is empty".into());
        }
        if text.chars().any(char::is_control) {
            return Err("a tag holds no control characters".into());
        }
        Ok(Self { key: key.into(), value: value.into() })
    }
}

/// The metadata of these tags. Of two with one key the last counts.
pub(crate) fn to_metadata(tags: &[Tag]) -> Vec<u8> {
    let sorted: BTreeMap<&str, &str> =
        tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    let lines: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines.join("\n").into_bytes()
}

/// The tags in a member's metadata, which another program may have made.
pub(crate) fn from_metadata(metadata: &[u8]) -> BTreeMap<String, String> {
    if metadata.is_empty() {
        return BTreeMap::new();
    }
    let read = std::str::from_utf8(metadata).ok().and_then(|text| {
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        text.split('\n').map(pair).collect()
    });
    read.unwrap_or_else(|| BTreeMap::from([(UNREADABLE.to_owned(), STANDARD.encode(metadata))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_way_through_metadata_and_are_sorted() {
        let tags: Vec<Tag> = ["role=web", "az=eu=1", "role=db"].map(|t| t.parse().unwrap()).into();
        let metadata = to_metadata(&tags);
        assert_eq!(metadata, b"az=eu=1\nrole=db");
        let read = from_metadata(&metadata);
        assert_eq!(read.get("az").map(String::as_str), Some("eu=1"));
    }

    #[test]
    fn metadata_of_other_programs_is_shown_in_base64() {
        assert_eq!(from_metadata(&[0xff, 0]).get("?").map(String::as_str), Some("/wA="));
        assert_eq!(from_metadata(b"no tags").len(), 1);
        assert!(from_metadata(b"").is_empty());
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for bad in ["", "key", "=value", "a=b\nc=d"] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
    }
}
