//! How a message's files are written into one column: a line each, fields divided by tabs, which
//! neither names nor types can have. `id size width height type name`; 0 pixels where it is no picture.

use gryt_model::Attachment;

/// The column's text; `None` for a message without files.
pub(crate) fn write(attachments: &[Attachment]) -> Option<String> {
    let line = |attachment: &Attachment| {
        let Attachment {
            file,
            name,
            content_type,
            size_bytes,
            picture,
        } = attachment;
        let (width, height) = picture.unwrap_or_default();
        format!("{file}\t{size_bytes}\t{width}\t{height}\t{content_type}\t{name}")
    };
    let lines: Vec<String> = attachments.iter().map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The files that a column tells of; `None` if no version of this program wrote it.
pub(crate) fn read(column: Option<&str>) -> Option<Vec<Attachment>> {
    column.unwrap_or_default().lines().map(read_line).collect()
}

fn read_line(line: &str) -> Option<Attachment> {
    let mut fields = line.splitn(6, '\t');
    let mut field = || fields.next();
    let (file, size, width, height) = (field()?, field()?, field()?, field()?);
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    Some(Attachment {
        file: file.parse().ok()?,
        size_bytes: size.parse().ok()?,
        content_type: field()?.parse().ok()?,
        name: field()?.parse().ok()?,
        picture: (width > 0 && height > 0).then_some((width, height)),
    })
}

#[cfg(test)]
mod tests {
    use gryt_model::{ContentType, FileId, FileName};

    use super::*;

    #[test]
    fn files_survive_their_column() {
        let file = |number, name: &str, picture| Attachment {
            file: FileId::from_random([number; 16]),
            name: FileName::clean(name),
            content_type: ContentType::clean("image/png"),
            size_bytes: 1 << 40,
            picture,
        };
        for attachments in [
            vec![],
            vec![file(1, "a b\t\nc.png", None)],
            vec![file(1, "", Some((640, 480))), file(2, "ß.png", None)],
        ] {
            let column = write(&attachments);
            assert_eq!(column.is_none(), attachments.is_empty());
            assert_eq!(read(column.as_deref()), Some(attachments));
        }
        for damaged in ["x", "\n", "a\tb\tc\td\te\tf"] {
            assert_eq!(read(Some(damaged)), None, "{damaged:?}");
        }
    }
}
