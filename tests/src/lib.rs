//! The black-box tests' tools: the product as a process, and a scripted client that signs in,
//! chats and talks as a browser would. Knows no crate of the product but its wire files.

pub mod account;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod evidence;
pub mod forgery;
pub mod metrics;
pub mod product;
pub mod socket;
pub mod stun;
pub mod voice;
pub mod wait;
pub mod way;
