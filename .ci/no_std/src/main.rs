//! A program without std that has the three pure crates in it. Where anything below them uses std,
//! its panic handler is a second one, and this does not compile: "found duplicate lang item".
//!
//! It is built, never run.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_int;
use core::panic::PanicInfo;

use swim_dissemination::SeenSet;
use swim_membership::{Config, Instant, Membership};
use swim_proto::{BincodeCodec, ClusterName, Codec, Datagram, NodeId, RecordFields, Versions};

/// Has no memory to give.
struct NoMemory;

// SAFETY: null is what an allocator answers that has no memory, and so there is never anything to
// give back.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

// For `memcpy` and its kin, which the compiler calls by itself, and for the start of a program.
#[link(name = "c")]
unsafe extern "C" {}

// SAFETY: the prebuilt `alloc` names this symbol for unwinding. Here a panic aborts, so that
// nobody calls it, and no other crate here defines it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// SAFETY: the symbol that the C start-up code calls, and no other crate here defines it.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const u8) -> c_int {
    c_int::from(touch().is_none())
}

/// Uses a type of each crate.
fn touch() -> Option<()> {
    let cluster = ClusterName::new("cluster1").ok()?;
    let address = ([127, 0, 0, 1], 2552).into();
    let fields = RecordFields {
        address,
        versions: Versions::default(),
        name: "",
        metadata: &[],
        later: &[],
    };
    let record = fields.build().ok()?;
    let tag = cluster.tag();
    let id = NodeId::from_bytes([1; 16]);
    let membership = Membership::new(Config::default(), id, record, tag, 1, Instant::ZERO);
    let mut codec = BincodeCodec::new(cluster);
    let mut bytes = Vec::new();
    codec.begin_datagram(&Datagram::Gossip, 1_400, &mut bytes).ok()?;
    codec.finish(&mut bytes);
    let mut seen = SeenSet::new(1);
    (membership.present() == 1 && seen.insert(1)).then_some(())
}
