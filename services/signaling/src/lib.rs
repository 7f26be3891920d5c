//! Signaling: HTTP and WebSocket to browsers, gRPC to SFUs.
