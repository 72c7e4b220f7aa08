//! Bounds every peer holds before it allocates.

/// Bytes of a message's body, whole.
pub const MAX_BODY: usize = 64 << 20;

/// Bytes of a body that one frame carries; a longer body is cut in pieces of this size, so that no
/// message blocks the line for the others.
pub const MAX_PIECE: usize = 256 << 10;

/// Bytes of the routing section of a frame.
pub const MAX_ROUTING: usize = 60 << 10;

/// Attachments of one frame.
pub const MAX_ATTACHMENTS: usize = 1024;

/// Bytes of unfinished messages that one connection may have a peer hold.
pub const MAX_UNFINISHED: usize = 128 << 20;

/// Unfinished messages that one connection may have at once.
pub const MAX_UNFINISHED_COUNT: usize = 1024;

/// Bytes of one text field of a routing section (a name, a reference, a reason).
pub const MAX_TEXT: usize = 16 << 10;
