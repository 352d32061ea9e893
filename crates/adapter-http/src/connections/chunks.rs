//! Finds the end of a chunked body (RFC 9112 section 7.1). The HTTP library validates it.

/// Parse state of a chunked body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Chunks {
    /// Within the size of a chunk; the size read so far.
    Size(u64),
    /// Within the rest of that line; the size of the chunk.
    Extension(u64),
    /// Remaining bytes of a chunk and its line end.
    Data(u64),
    /// After the last chunk, at the start of a line.
    LineStart,
    /// After the last chunk, within a line.
    Line,
    /// At the end of the body.
    Done,
}

impl Chunks {
    /// A body before its first byte.
    pub(super) const START: Self = Self::Size(0);

    /// Returns the state after these bytes, and how many of them belong to the body.
    pub(super) fn after(mut self, bytes: &[u8]) -> (Self, usize) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at)
            && self != Self::Done
        {
            if let Self::Data(left) = self {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += count;
                let left = left - count as u64;
                self = if left == 0 { Self::START } else { Self::Data(left) };
            } else {
                self = self.after_byte(byte);
                at += 1;
            }
        }
        (self, at)
    }

    fn after_byte(self, byte: u8) -> Self {
        const LINE_END: u64 = 2;
        match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::LineStart,
            (Self::Size(size) | Self::Extension(size), b'\n') => {
                Self::Data(size.saturating_add(LINE_END))
            }
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::Extension(size),
            },
            (Self::LineStart, b'\n') => Self::Done,
            (Self::Line, b'\n') | (Self::LineStart, b'\r') => Self::LineStart,
            (Self::LineStart | Self::Line, _) => Self::Line,
            (Self::Extension(_) | Self::Data(_) | Self::Done, _) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_its_chunks_say_however_it_is_cut() {
        for body in [
            "0\r\n\r\n",
            "8\r\n{\r\n\r\n\r\n}\r\n0\r\n\r\n",
            "1a;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n000\r\nTrailer: x\r\n\r\n",
            "A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        ] {
            let bytes = [body.as_bytes(), b"GET /"].concat();
            for cut in 0..=body.len() {
                let (first, before) = Chunks::START.after(&bytes[..cut]);
                assert_eq!(
                    (before, first == Chunks::Done),
                    (cut, cut == body.len()),
                    "{body:?} at {cut}"
                );
                let (second, after) = first.after(&bytes[cut..]);
                assert_eq!(
                    (second, before + after),
                    (Chunks::Done, body.len()),
                    "{body:?} at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_chunk_size_beyond_the_integer_range_saturates() {
        let (state, count) = Chunks::START.after(b"ffffffffffffffffffffffff\r\n0\r\n\r\n");
        assert_eq!(count, 31);
        assert!(matches!(state, Chunks::Data(_)), "{state:?}");
    }
}
