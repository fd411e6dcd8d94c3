//! Files that come back, and pictures that are those of `image`.

use codecs::*;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// All pixels different.
fn picture() -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 4) as u8, (y * 5) as u8, (x * y % 256) as u8]))
}

#[test]
fn files_come_back() {
    let picture = DynamicImage::from(picture());
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let bytes = encode(&picture, format).unwrap();
        let encoded = Encoded::new(&bytes, format).unwrap();
        assert_eq!((encoded.size(), encoded.bytes()), ((64, 48), 64 * 48 * 3), "{format:?}");
        assert!(encoded.decode().unwrap() == picture, "{format:?}");
        assert!(decode(&bytes[..bytes.len() / 2]).is_err(), "{format:?}");
    }
    assert!(decode(b"not a picture").is_err());
    for picture in [picture.clone(), gray(picture).into()] {
        let bytes = encode(&picture, ImageFormat::Jpeg).unwrap();
        let jpeg = decode(&bytes).unwrap();
        assert!(jpeg == image::load_from_memory(&bytes).unwrap(), "as `image` reads it");
        assert_eq!(jpeg.color(), picture.color());
        assert!(decode(&bytes[..100]).is_err());
    }
}

#[test]
fn a_photograph_is_upright() {
    // EXIF with the one entry 0x0112, orientation 6: a quarter turn to the right.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let jpeg = jpeg(&picture(), 90).unwrap();
    let len = (exif.len() as u16 + 2).to_be_bytes();
    let bytes = [&jpeg[..2], b"\xff\xe1", &len, exif, &jpeg[2..]].concat();
    let upright = decode(&bytes).unwrap();
    assert_eq!((upright.width(), upright.height()), (48, 64));
    assert!(upright == decode(&jpeg).unwrap().rotate90());
}

#[test]
fn gray_is_that_of_the_library() {
    let picture = DynamicImage::from(picture());
    let pairs = gray(picture.clone()).into_raw().into_iter().zip(picture.to_luma8().into_raw());
    for (own, theirs) in pairs {
        assert!(own.abs_diff(theirs) <= 1, "{own} and {theirs}");
    }
    let even = DynamicImage::from(RgbImage::from_pixel(2, 2, Rgb([77; 3])));
    assert_eq!(gray(even).into_raw(), [77; 4]);
}

#[test]
fn transparent_is_white() {
    let mut clear = RgbaImage::from_pixel(2, 1, Rgba([1, 2, 3, 0]));
    clear.put_pixel(1, 0, Rgba([55, 155, 255, 102]));
    assert_eq!(over_white(clear.into()).into_bytes(), [255, 255, 255, 175, 215, 255]);
    let gray = image::GrayAlphaImage::from_pixel(1, 1, image::LumaA([0, 51]));
    assert_eq!(over_white(gray.into()).into_bytes(), [204]);
}

#[test]
fn sizes() {
    let picture = DynamicImage::from(picture());
    assert!(crop(&picture, [3, 4], [5, 6]) == picture.crop_imm(3, 4, 5, 6));
    let filter = FilterType::CatmullRom;
    assert!(resize(&picture, [16, 12], filter) == picture.resize_exact(16, 12, filter));
    assert!(shrink(&picture, [16, 12]) == picture.thumbnail_exact(16, 12));
    assert_eq!(resize_plane(vec![0.25; 9], 3, 2, FilterType::Triangle), [0.25; 4]);
}
