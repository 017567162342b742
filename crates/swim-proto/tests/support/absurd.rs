//! What no length or number can be.

/// Numbers that no field can mean: far too many, written too long, cut, or no number at all.
pub(crate) fn numbers() -> Vec<Vec<u8>> {
    let long = |first: u8, number: u64, bytes: usize| {
        [&[first][..], &number.to_le_bytes()[..bytes]].concat()
    };
    vec![
        vec![250],
        long(251, 0xffff, 2),
        long(252, 1 << 16, 4),
        long(252, 1 << 30, 4),
        long(252, u32::MAX.into(), 4),
        long(253, 1 << 32, 8),
        long(253, (1 << 32) + 1, 8),
        long(253, 1 << 40, 8),
        long(253, 1 << 63, 8),
        long(253, u64::MAX, 8),
        long(251, 0, 2),
        long(251, 5, 2),
        long(251, 250, 2),
        long(252, 5, 4),
        long(252, 0xffff, 4),
        long(253, 5, 8),
        long(253, u32::MAX.into(), 8),
        long(254, 1, 8),
        long(255, 1, 8),
        vec![251],
        vec![252, 0, 0, 1],
        vec![253, 0, 0, 0, 0, 1],
        vec![254],
        vec![255],
    ]
}
