//! Forwarding allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use crate::world::{FRAME, World};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts this thread's allocations; the tests beside run in others.
struct Counting;

#[expect(
    unsafe_code,
    reason = "a global allocator is unsafe by its trait; this one only counts"
)]
// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is ours.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is ours.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn forwarding_allocates_nothing() {
    let speakers: Vec<u32> = (1..=10).collect();
    let mut world = World::with(8, 1..=25);
    // Contexts of new SSRCs and slots of new speakers come with the first packets.
    for _ in 0..100 {
        world.speak(&speakers);
    }
    let mut packets: Vec<_> = (0..100)
        .flat_map(|_| speakers.clone())
        .map(|id| {
            let packet = world.packet(id);
            (world.clients[&id].path, packet)
        })
        .collect();
    let before = ALLOCATIONS.with(Cell::get);
    let mut sent = 0_u64;
    for (number, (path, packet)) in packets.iter_mut().enumerate() {
        if number % speakers.len() == 0 {
            world.now += FRAME;
            world.node.handle_timeout(world.now);
        }
        world.node.handle_datagram(*path, packet, world.now);
        while let Some(transmit) = world.node.poll_output() {
            sent += u64::from(!transmit.datagram.is_empty());
        }
    }
    let allocated = ALLOCATIONS.with(Cell::get) - before;
    assert!(sent >= 100 * 8 * 24, "{sent} sent");
    assert_eq!(allocated, 0, "{sent} sent");
}
