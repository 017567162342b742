use super::*;
use std::vec;

fn fields(address: &str) -> RecordFields<'static> {
    RecordFields {
        address: address.parse().unwrap(),
        versions: Versions::default(),
        name: "",
        metadata: &[],
        later: &[],
    }
}

#[test]
fn w7_the_shortest_record_is_seven_bytes_over_ipv4_and_nineteen_over_ipv6() {
    let record = fields("127.0.0.1:2552").build().unwrap();
    assert_eq!(record.as_bytes(), [0, 127, 0, 0, 1, 0xf8, 0x09]);
    assert_eq!(fields("[::1]:2552").build().unwrap().as_bytes().len(), 19);
}

#[test]
fn w7_a_record_reads_back_as_it_was_built() {
    for address in ["127.0.0.1:2552", "[::1]:2552"] {
        let fields = RecordFields {
            versions: Versions { min: 0, max: 3 },
            name: "zoë",
            metadata: b"role=web",
            later: b"\x01\x02",
            ..fields(address)
        };
        let record = fields.build().unwrap();
        assert_eq!(record.fields(), fields);
        assert_eq!(record.address(), fields.address);
        assert_eq!(Record::parse(record.as_bytes()), Ok(record));
    }
}

#[test]
fn w7_fields_out_of_bounds_make_no_record() {
    let base = fields("127.0.0.1:2552");
    let long = "n".repeat(129);
    let error = |fields: RecordFields<'_>| fields.build().unwrap_err();
    assert_eq!(error(RecordFields { name: &long, ..base }), RecordError::NameTooLong(129));
    assert_eq!(error(RecordFields { name: "a\nb", ..base }), RecordError::NameText);
    let metadata = vec![0; 513];
    let too_long = RecordFields { metadata: &metadata, ..base };
    assert_eq!(error(too_long), RecordError::MetadataTooLong(513));
    for address in [
        "127.0.0.1:0",
        "0.0.0.0:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "[::]:1",
        "[ff02::1]:1",
        "[::ffff:0.0.0.0]:1",
        "[::ffff:224.0.0.1]:1",
    ] {
        assert!(matches!(error(fields(address)), RecordError::Address(_)), "{address}");
    }
}

#[test]
fn w7_an_ipv4_address_is_written_in_one_way() {
    let record = fields("[::ffff:127.0.0.1]:2552").build().unwrap();
    assert_eq!(record, fields("127.0.0.1:2552").build().unwrap());
    let mut mapped = vec![1];
    mapped.extend("::ffff:127.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
    mapped.extend(2552_u16.to_le_bytes());
    assert_eq!(RecordFields::parse(&mapped), Err(RecordError::NotCanonical("address")));
}

#[test]
fn w7_a_record_at_every_bound_at_once_leaves_room_for_36_bytes_of_later_fields() {
    let (name, metadata, later) = ("n".repeat(128), [7; 512], [9; 37]);
    let fields = RecordFields {
        versions: Versions { min: 1, max: 255 },
        name: &name,
        metadata: &metadata,
        later: &later[..36],
        ..fields("[2001:db8::1]:65535")
    };
    let record = fields.build().unwrap();
    assert_eq!(record.as_bytes().len(), RECORD_BYTES_MAX);
    assert_eq!(record.fields(), fields);
    let longer = RecordFields { later: &later, ..fields };
    assert_eq!(longer.build(), Err(RecordError::TooLong(701)));
    let mut bytes = record.as_bytes().to_vec();
    bytes.push(9);
    assert_eq!(Record::parse(&bytes), Err(RecordError::TooLong(701)));
}

#[test]
fn w7_what_is_not_canonical_is_no_record() {
    for (bytes, error) in [
        (&[0x80, 127, 0, 0, 1, 1, 1][..], RecordError::NotCanonical("flags")),
        (&[4, 127, 0, 0, 1, 1, 1, 0], RecordError::NotCanonical("name")),
        (&[8, 127, 0, 0, 1, 1, 1, 0, 0], RecordError::NotCanonical("metadata")),
        (&[2, 0, 0, 127, 0, 0, 1, 1, 1], RecordError::NotCanonical("versions")),
        (&[2, 2, 1, 127, 0, 0, 1, 1, 1], RecordError::Versions { min: 2, max: 1 }),
        (&[0, 127, 0, 0, 1, 1], RecordError::Truncated("address")),
        (&[], RecordError::Truncated("flags")),
    ] {
        assert_eq!(RecordFields::parse(bytes), Err(error));
    }
}

quickcheck::quickcheck! {
    fn w7_what_parses_builds_the_same_bytes_again(bytes: std::vec::Vec<u8>) -> bool {
        match RecordFields::parse(&bytes) {
            Ok(fields) => fields.build().unwrap().as_bytes() == bytes,
            Err(_) => true,
        }
    }
}
