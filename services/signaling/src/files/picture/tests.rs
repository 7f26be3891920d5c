//! Pictures as they come, and bombs.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, Rgba, RgbaImage};

use super::*;

fn kind(text: &str) -> ContentType {
    ContentType::clean(text)
}

fn written(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let low = |n: u32| n.to_le_bytes()[0];
    let picture = RgbaImage::from_fn(width, height, |x, y| Rgba([low(x), low(y), 7, 255]));
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::from(picture);
    let picture = if format == ImageFormat::Jpeg {
        DynamicImage::from(picture.to_rgb8())
    } else {
        picture
    };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG whose head says that it is this large, with a good checksum.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = written(1, 1, ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// RFC 2083 section 15.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn every_shown_type_gets_a_thumbnail_that_fits() {
    for (name, format) in [
        ("image/png", ImageFormat::Png),
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/gif", ImageFormat::Gif),
        ("image/webp", ImageFormat::WebP),
    ] {
        let file = written(1_000, 100, format);
        assert_eq!(size(&kind(name), &file), Some((1_000, 100)), "{name}");

        let small = thumbnail(&kind(name), &file).unwrap();

        let made = kind(thumbnail_type(&kind(name)));
        assert_eq!(size(&made, &small), Some((800, 80)), "{name}");
    }
}

#[test]
fn small_pictures_stay_as_large_as_they_are() {
    let small = thumbnail(&kind("image/png"), &written(3, 2, ImageFormat::Png)).unwrap();
    assert_eq!(size(&kind("image/png"), &small), Some((3, 2)));
}

#[test]
fn bombs_are_not_decoded() {
    for (width, height) in [
        (100_000, 100_000),
        (16_385, 1),
        (1, 16_385),
        (8_000, 8_000),
        (u32::MAX, u32::MAX),
        (0, 1),
    ] {
        let bomb = png_that_claims(width, height);
        assert_eq!(size(&kind("image/png"), &bomb), None, "{width} x {height}");
        assert!(thumbnail(&kind("image/png"), &bomb).is_err());
    }
    // The head alone decides: so large a one is read.
    let fine = png_that_claims(6_000, 6_000);
    assert_eq!(size(&kind("image/png"), &fine), Some((6_000, 6_000)));
    assert!(thumbnail(&kind("image/png"), &fine).is_err());
}

#[test]
fn packed_profile_is_not_unpacked_to_any_size() {
    const BOMB_BYTES: usize = 64 * 1024 * 1024;
    let mut file = Cursor::new(Vec::new());
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_icc_profile(vec![0; BOMB_BYTES]).unwrap();
    encoder
        .write_image(&[0; 4], 1, 1, ExtendedColorType::Rgba8)
        .unwrap();
    let bomb = file.into_inner();
    assert!((bomb.len() as u64) < BEGINNING_BYTES, "{}", bomb.len());

    let mut head = decoder(&kind("image/png"), &bomb, HEAD_ALLOC_MAX_BYTES).unwrap();

    assert_eq!(
        head.icc_profile().unwrap().map(|profile| profile.len()),
        None
    );
    assert_eq!(size(&kind("image/png"), &bomb), Some((1, 1)));
}

#[test]
fn size_is_told_by_the_beginning() {
    for (name, format) in [
        ("image/png", ImageFormat::Png),
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/gif", ImageFormat::Gif),
        ("image/webp", ImageFormat::WebP),
    ] {
        let file = written(300, 200, format);
        let beginning = &file[..file.len() * 3 / 4];
        assert_eq!(size(&kind(name), beginning), Some((300, 200)), "{name}");
    }
}

#[test]
fn what_is_no_picture_is_an_error_and_no_panic() {
    let png = written(50, 50, ImageFormat::Png);
    let jpeg = written(50, 50, ImageFormat::Jpeg);
    for (name, file) in [
        ("image/png", png[..40].to_vec()),
        ("image/png", jpeg.clone()),
        ("image/jpeg", png.clone()),
        ("image/jpeg", jpeg[..jpeg.len() / 4].to_vec()),
        ("image/webp", b"RIFF\xff\xff\xff\xffWEBPVP8 ".to_vec()),
        ("image/gif", b"GIF89a".to_vec()),
        ("image/svg+xml", b"<svg/>".to_vec()),
        ("image/png", vec![]),
    ] {
        assert!(thumbnail(&kind(name), &file).is_err(), "{name}");
    }
}
