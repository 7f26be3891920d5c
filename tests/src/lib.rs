//! Black-box tests: the real binary, real browsers, scripted clients.
