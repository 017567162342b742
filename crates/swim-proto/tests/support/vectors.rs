//! The vectors of `golden/`: a name in brackets, then lines of bytes, explained behind a bar.

pub(crate) const DATAGRAMS: &str = include_str!("../golden/datagrams.txt");
pub(crate) const LATER: &str = include_str!("../golden/later.txt");
pub(crate) const PARTS: &str = include_str!("../golden/parts.txt");
pub(crate) const RECORDS: &str = include_str!("../golden/records.txt");
pub(crate) const REPLIES: &str = include_str!("../golden/replies.txt");
pub(crate) const REQUESTS: &str = include_str!("../golden/requests.txt");

/// The names and bytes of a file.
pub(crate) fn vectors(text: &'static str) -> Vec<(&'static str, Vec<u8>)> {
    let mut vectors = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            vectors.push((name.strip_suffix(']').unwrap(), Vec::new()));
        } else {
            let (bytes, _) = line.split_once('|').unwrap();
            let (_, vector) = vectors.last_mut().unwrap();
            bytes.split_whitespace().for_each(|word| vector.extend(bytes_of(word)));
        }
    }
    vectors
}

/// `61`, or `61x251` for 251 times that byte.
fn bytes_of(word: &str) -> Vec<u8> {
    let (byte, times) = word.split_once('x').unwrap_or((word, "1"));
    vec![u8::from_str_radix(byte, 16).unwrap(); times.parse().unwrap()]
}
