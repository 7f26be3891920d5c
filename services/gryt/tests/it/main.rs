//! The binary as a person starts it: real processes, ports chosen by the system, folders of
//! their own.

mod commands;
mod lan;
mod process;
mod serving;
