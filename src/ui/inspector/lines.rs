//! Text as lines of a width: where each begins, so that only those in view are touched.

/// Lines that were broken at line feeds and, where too long, after a number of columns.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Byte at which each line begins, and the number of the hard line it belongs to.
    starts: Vec<(u32, u32)>,
    length: usize,
    columns: usize,
}

impl Lines {
    /// Breaks `text` (less than 4 GiB) at `columns` columns of a mono font.
    pub fn new(text: &str, columns: usize) -> Self {
        let columns = columns.max(8);
        let mut starts = vec![(0, 1)];
        let (mut column, mut hard) = (0, 1_u32);
        for (at, c) in text.char_indices() {
            if c == '\n' {
                hard += 1;
                column = 0;
                starts.push((at as u32 + 1, hard));
                continue;
            }
            let width = if text[at..].starts_with("\r\n") { 0 } else { columns_of(c) };
            if column + width > columns {
                starts.push((at as u32, hard));
                column = 0;
            }
            column += width;
        }
        Self { starts, length: text.len(), columns }
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Where a line begins.
    pub fn start(&self, n: usize) -> usize {
        self.starts.get(n).map_or(self.length, |(start, _)| *start as usize)
    }

    /// The text of a line without its line feed, and the number of its hard line where it is the first of it.
    pub fn line<'a>(&self, text: &'a str, n: usize) -> (&'a str, Option<u32>) {
        let Some(&(start, hard)) = self.starts.get(n) else { return ("", None) };
        let end = self.start(n + 1);
        let line = text.get(start as usize..end).unwrap_or_default();
        let first = n == 0 || self.starts[n - 1].1 != hard;
        let line = line.strip_suffix("\r\n").or(line.strip_suffix('\n')).unwrap_or(line);
        (line, first.then_some(hard))
    }
}

/// How many columns a character takes: wide ones two, what is shown as `‹202E›` six.
fn columns_of(c: char) -> usize {
    match c as u32 {
        0x09 => 4,
        0x00..0x20 | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2069 | 0xFEFF => 6,
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 => 2,
        0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_and_hard_lines_numbered() {
        let text = "0123456789abcdef\r\nx\n\n日本語日本語日本語";
        let lines = Lines::new(text, 10);
        let all: Vec<_> = (0..lines.len()).map(|n| lines.line(text, n)).collect();
        assert_eq!(
            all,
            [
                ("0123456789", Some(1)),
                ("abcdef", None),
                ("x", Some(2)),
                ("", Some(3)),
                ("日本語日本", Some(4)),
                ("語日本語", None)
            ]
        );
    }

    #[test]
    fn nothing_is_one_empty_line() {
        let lines = Lines::new("", 80);
        assert_eq!((lines.len(), lines.line("", 0)), (1, ("", Some(1))));
        assert_eq!(lines.line("", 5), ("", None));
    }

    proptest::proptest! {
        #[test]
        fn no_character_is_lost(text in "[a-z日\n\t\u{202E}]{0,80}", columns in 8_usize..20) {
            let lines = Lines::new(&text, columns);
            let joined: String = (0..lines.len()).map(|n| {
                let (line, hard) = lines.line(&text, n);
                if n > 0 && hard.is_some() { format!("\n{line}") } else { line.to_owned() }
            }).collect();
            proptest::prop_assert_eq!(joined, text);
        }
    }
}
