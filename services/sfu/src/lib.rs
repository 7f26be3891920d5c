//! The SFU shell: one pinned thread per core with its UDP socket, and the gRPC door.
