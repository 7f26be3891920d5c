//! Pictures: how large they are, and smaller ones of them. Pure, and bounded: what claims to be
//! larger than the limits is never decoded.

use std::io::Cursor;

use gryt_model::ContentType;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The largest file that gets a thumbnail, in bytes.
pub(super) const FILE_MAX_BYTES: u64 = 32 * 1024 * 1024;
/// How much of a file's beginning tells its size in pixels: cameras put previews before it.
pub(crate) const BEGINNING_BYTES: u64 = 1024 * 1024;
/// The longest side that is decoded.
const SIDE_MAX: u32 = 16_384;
/// The most pixels that are decoded: a camera's, and 160 MB of memory.
const PIXELS_MAX: u64 = 40_000_000;
/// What a decoder may allocate, with what it needs besides the pixels.
const ALLOC_MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The same for the head alone, which is read while a request waits: a color profile is packed, and
/// one of a few kilobytes may become gigabytes.
const HEAD_ALLOC_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// What a thumbnail fits into, for screens with two pixels a point.
const THUMBNAIL: (u32, u32) = (800, 600);
const JPEG_QUALITY: u8 = 80;

/// A picture that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No picture, or a damaged one.
    #[error("cannot read the picture")]
    Decode(#[source] image::ImageError),
    /// It would take too much memory.
    #[error("the picture has too many pixels")]
    TooLarge,
    /// No type that we make thumbnails of.
    #[error("not a type of picture that is shown")]
    Type,
    /// The small one cannot be written.
    #[error("cannot write the thumbnail")]
    Encode(#[source] image::ImageError),
}

/// The picture's width and height as it is to be seen, told from its beginning; `None` if it is none
/// that we show.
pub(crate) fn size(content_type: &ContentType, beginning: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = decoder(content_type, beginning, HEAD_ALLOC_MAX_BYTES).ok()?;
    let (width, height) = decoder.dimensions();
    Some(match decoder.orientation().ok()? {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => (width, height),
    })
}

/// The type that [`thumbnail`] writes for a picture of this type: photographs as photographs, and
/// everything else with its transparency.
pub(crate) fn thumbnail_type(content_type: &ContentType) -> &'static str {
    if content_type.as_str() == "image/jpeg" {
        "image/jpeg"
    } else {
        "image/png"
    }
}

/// Makes the small picture. Takes up to a second and [`ALLOC_MAX_BYTES`] of memory.
pub(super) fn thumbnail(content_type: &ContentType, file: &[u8]) -> Result<Vec<u8>, Error> {
    let mut decoder = decoder(content_type, file, ALLOC_MAX_BYTES)?;
    let orientation = decoder.orientation().map_err(Error::Decode)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(Error::Decode)?;
    let (width, height) = THUMBNAIL;
    let mut small = if picture.width() > width || picture.height() > height {
        picture.thumbnail(width.max(height), width.max(height))
    } else {
        picture
    };
    small.apply_orientation(orientation);
    let mut written = Cursor::new(Vec::new());
    if thumbnail_type(content_type) == "image/jpeg" {
        let encoder = JpegEncoder::new_with_quality(&mut written, JPEG_QUALITY);
        small.to_rgb8().write_with_encoder(encoder)
    } else {
        small.to_rgba8().write_to(&mut written, ImageFormat::Png)
    }
    .map_err(Error::Encode)?;
    Ok(written.into_inner())
}

/// A decoder that has read the head, and found nothing beyond the limits in it.
fn decoder<'a>(
    content_type: &ContentType,
    file: &'a [u8],
    alloc_max_bytes: u64,
) -> Result<impl ImageDecoder + use<'a>, Error> {
    let format = match content_type.as_str() {
        "image/png" => ImageFormat::Png,
        "image/jpeg" => ImageFormat::Jpeg,
        "image/gif" => ImageFormat::Gif,
        "image/webp" => ImageFormat::WebP,
        _ => return Err(Error::Type),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(alloc_max_bytes);
    // Named: what a file says by its beginning was compared before.
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(Error::Decode)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 || pixels > PIXELS_MAX {
        return Err(Error::TooLarge);
    }
    Ok(decoder)
}

#[cfg(test)]
mod tests;
