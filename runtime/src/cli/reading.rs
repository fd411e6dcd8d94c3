//! What an ONNX file does not say.

/// Options of every verb that reads a model.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Args {
    /// Output values of black and white of an ONNX file, such as -1,1, 0,1 or 0,255
    ///
    /// Without it they follow from the last activation; what is assumed is printed.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true, value_parser = range)]
    pub range: Option<(f32, f32)>,
    /// Channels, height and width of the image of an ONNX file that outputs a vector
    #[arg(long, value_name = "CxHxW", value_parser = image)]
    pub image: Option<[usize; 3]>,
}

impl Args {
    /// Whether anything was given.
    pub fn is_given(&self) -> bool {
        self.range.is_some() || self.image.is_some()
    }
}

fn range(text: &str) -> Result<(f32, f32), String> {
    let number = |t: &str| t.trim().parse().ok().filter(|n: &f32| n.is_finite());
    let both = text.split_once(',').and_then(|(a, b)| Some((number(a)?, number(b)?)));
    let both = both.filter(|(black, white)| black != white);
    both.ok_or_else(|| "expected the values of black and white, such as -1,1 or 0,255".into())
}

fn image(text: &str) -> Result<[usize; 3], String> {
    let side = |t: &str| t.parse().ok().filter(|n| (1..=1 << 20).contains(n));
    let sides: Option<Vec<usize>> = text.split('x').map(side).collect();
    let sides = sides.and_then(|sides| sides.try_into().ok());
    sides.ok_or_else(|| "expected channels, height and width, such as 1x28x28".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        assert_eq!(range("-1,1"), Ok((-1.0, 1.0)));
        assert_eq!(range("0, 255"), Ok((0.0, 255.0)));
        for text in ["", "1", "1,1", "0,x", "0,inf", "0,1,2"] {
            assert!(range(text).is_err(), "{text}");
        }
        assert_eq!(image("1x28x28"), Ok([1, 28, 28]));
        for text in ["28x28", "1x28x28x1", "0x1x1", "1xax1", ""] {
            assert!(image(text).is_err(), "{text}");
        }
    }
}
