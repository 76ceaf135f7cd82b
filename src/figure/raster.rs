//! A drawing as PNG or PDF (feature `raster`), set in DejaVu Sans, which the program carries: the same bytes on every machine.

use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// Dots per inch of a PNG: what journals ask of line art at least.
pub const DOTS_PER_INCH: f32 = 600.0;
/// The drawing's unit of length on paper is a point.
const POINTS_PER_INCH: f32 = 72.0;

/// Why a drawing has no such form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RasterError {
    /// It is no SVG.
    #[error("the drawing is no SVG: {message}")]
    Svg {
        /// What the parser says.
        message: String,
    },
    /// It would have no dots, or more than memory holds.
    #[error("a picture of {width} by {height} dots cannot be made; ask for another --width")]
    Size {
        /// Dots across.
        width: u32,
        /// Dots down.
        height: u32,
    },
    /// The encoder failed.
    #[error("the drawing cannot be written: {message}")]
    Encode {
        /// What it says.
        message: String,
    },
}

fn tree(svg: &str) -> Result<usvg::Tree, RasterError> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    let options = usvg::Options {
        dpi: POINTS_PER_INCH,
        font_family: "DejaVu Sans".to_owned(),
        fontdb: Arc::new(fonts),
        ..usvg::Options::default()
    };
    usvg::Tree::from_str(svg, &options).map_err(|error| RasterError::Svg {
        message: error.to_string(),
    })
}

/// The drawing as a PNG.
///
/// # Errors
/// [`RasterError`]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates, and the size is checked
pub fn png(svg: &str) -> Result<Vec<u8>, RasterError> {
    let tree = tree(svg)?;
    let scale = DOTS_PER_INCH / POINTS_PER_INCH;
    let [width, height] = [tree.size().width(), tree.size().height()].map(|points| (points * scale).ceil() as u32);
    let mut picture = tiny_skia::Pixmap::new(width, height).ok_or(RasterError::Size { width, height })?;
    let transform = tiny_skia::Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut picture.as_mut());
    picture.encode_png().map_err(|error| RasterError::Encode {
        message: error.to_string(),
    })
}

/// The drawing as a PDF of one page, its text as text.
///
/// # Errors
/// [`RasterError`]
pub fn pdf(svg: &str) -> Result<Vec<u8>, RasterError> {
    let options = svg2pdf::ConversionOptions::default();
    svg2pdf::to_pdf(&tree(svg)?, options, svg2pdf::PageOptions::default()).map_err(|error| RasterError::Encode {
        message: error.to_string(),
    })
}
