//! Images as rows of a CSV file: a column for each pixel, as Kaggle has digits, or one with all of
//! them, as FER-2013 has faces.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Take};
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::error::{ArrayFault, DataError};
use super::idx::unreadable;
use super::splits::{Split, split};
use super::stack::{EXPANSION, FREE, Size, Span, Stack, check};
use super::tree::Entry;

/// Bytes that hold the first two rows.
const HEAD: u64 = 1 << 20;
/// Fewest pixels of an image: a table of measurements has fewer columns.
const FEWEST: usize = 64;
/// Most different labels that are counted.
const MOST_LABELS: usize = 2000;

/// What the columns of a file are.
#[derive(Clone, Debug, PartialEq)]
struct Columns {
    /// Number of columns.
    count: usize,
    /// Whether the first row has their names.
    header: bool,
    label: Option<usize>,
    /// The part of the data set that an image belongs to.
    part: Option<usize>,
    pixels: Pixels,
    size: Size,
}

#[derive(Clone, Debug, PartialEq)]
enum Pixels {
    /// A column each.
    Columns(Vec<usize>),
    /// All in one column, with spaces between them.
    Text(usize),
}

/// Whether a file has rows of images.
pub(super) fn is_images(entry: &Entry) -> bool {
    columns(entry).is_some()
}

fn columns(entry: &Entry) -> Option<Columns> {
    let head = entry.plain_head(HEAD).ok()?;
    let mut rows = reader(&head[..]).into_byte_records();
    let (first, second) = (rows.next()?.ok()?, rows.next().and_then(Result::ok));
    Columns::of(&first, second.as_ref())
}

impl Columns {
    fn of(first: &ByteRecord, second: Option<&ByteRecord>) -> Option<Columns> {
        // pandas makes columns of one name different by numbers.
        let mangled =
            first.iter().zip(["0", "0.1", "0.2", "0.3"]).all(|(f, name)| f == name.as_bytes());
        let is_name = |field: &[u8]| number(field).is_none() && list(field).is_none();
        let header = mangled || first.iter().any(is_name);
        let names: Vec<String> = first
            .iter()
            .map(|field| String::from_utf8_lossy(field).trim().to_ascii_lowercase())
            .map(|name| name.trim_start_matches('\u{feff}').to_string())
            .collect();
        let row = if header { second? } else { first };
        if row.len() != first.len() {
            return None;
        }
        let named = |known: &[&str]| {
            let at = names.iter().position(|name| known.contains(&name.as_str()));
            at.filter(|_| header)
        };
        let mut label = named(&["label", "labels", "class", "emotion", "target", "digit", "y"]);
        let part = named(&["usage", "split", "set"]);
        let count = first.len();
        let text = (0..count).find(|&i| list(&row[i]).is_some_and(|n| n >= FEWEST));
        if let Some(at) = text {
            let rest = || (0..count).find(|&i| i != at && number(&row[i]).is_some());
            label = label.or_else(|| rest().filter(|_| !header));
            let size = Size::square(list(&row[at])?, true)?;
            return Some(Columns { count, header, label, part, pixels: Pixels::Text(at), size });
        }
        let other = |i: &usize| {
            let name = names[*i].as_str();
            header && (name.is_empty() || ["id", "index", "unnamed: 0"].contains(&name))
        };
        let mut pixels: Vec<usize> =
            (0..count).filter(|i| Some(*i) != label && Some(*i) != part && !other(i)).collect();
        let of = |pixels: &[usize]| Size::square(pixels.len(), true);
        if label.is_none() && of(&pixels).is_none() && pixels.len() > 1 {
            label = Some(pixels.remove(0));
        }
        let size = of(&pixels).filter(|_| pixels.len() >= FEWEST)?;
        let numbers = pixels.iter().all(|&i| number(&row[i]).is_some());
        let pixels = Pixels::Columns(pixels);
        numbers.then_some(Columns { count, header, label, part, pixels, size })
    }

    /// The pixels of a row.
    fn row(&self, row: &ByteRecord, mut each: impl FnMut(f64)) -> Result<(), String> {
        let shown =
            |field: &[u8]| String::from_utf8_lossy(&field[..field.len().min(20)]).into_owned();
        if row.len() != self.count {
            return Err(format!("{} columns, the first line has {}", row.len(), self.count));
        }
        match &self.pixels {
            Pixels::Columns(columns) => columns.iter().try_for_each(|&i| {
                let value = number(&row[i]);
                let wrong = || format!("column {} is {:?}, not a number", i + 1, shown(&row[i]));
                value.map(&mut each).ok_or_else(wrong)
            }),
            Pixels::Text(at) => {
                let mut count = 0;
                for field in words(&row[*at]) {
                    let wrong =
                        || format!("pixel {} is {:?}, not a number", count + 1, shown(field));
                    each(number(field).ok_or_else(wrong)?);
                    count += 1;
                }
                let want = self.size.values();
                match count == want {
                    true => Ok(()),
                    false => Err(format!("{count} pixels, the first image has {want}")),
                }
            }
        }
    }

    fn part(&self, row: &ByteRecord) -> Split {
        let text = self.part.and_then(|at| row.get(at));
        text.map_or(Split::Unknown, |text| split(&String::from_utf8_lossy(text)))
    }
}

/// Reads the images of the one of `files` that is for training, or of the only one.
///
/// # Errors
/// [`DataError::Array`] names the file below `root` and the line; [`DataError::Several`] if there are
/// several files and no name tells which one to use.
pub(super) fn read(files: &[Entry], root: &Path) -> Result<Stack, DataError> {
    let best = files.iter().map(|e| split(e.file_name())).min();
    let files: Vec<&Entry> = files.iter().filter(|e| Some(split(e.file_name())) == best).collect();
    let entry = match files[..] {
        [only] => only,
        _ => {
            let names = files.iter().map(|e| e.name.clone()).collect();
            return Err(DataError::Several(root.into(), names));
        }
    };
    let path = root.join(&entry.name);
    let Some(columns) = columns(entry) else {
        let what = "its columns are not a square number of pixels, with or without a label".into();
        return Err(match entry.foreign() {
            Some(foreign) => DataError::Foreign(path, foreign),
            None => DataError::Array(path, ArrayFault::Line(1, what)),
        });
    };
    let rows = Rows { entry, path: &path, columns: &columns };
    let (mut span, mut parts) = (Span::NONE, BTreeMap::<Split, u64>::new());
    rows.each(|row| {
        *parts.entry(columns.part(row)).or_default() += 1;
        columns.row(row, |value| span = span.with(value))
    })?;
    let fault = |fault| DataError::Array(path.clone(), fault);
    let used = parts.keys().next().copied().unwrap_or(Split::Unknown);
    let only = used == Split::Train;
    let all: u64 = parts.values().sum();
    let count = if only { parts[&used] } else { all };
    let Size { rows: height, columns: width, channels } = columns.size;
    let sides = [height as u64, width as u64, channels as u64];
    let size = check(count, sides, entry.stored()).map_err(fault)?;
    let scale = span.scale(false).map_err(fault)?;
    let mut pixels = Vec::with_capacity(size as usize);
    let mut labels = Labels::default();
    rows.each(|row| {
        if only && columns.part(row) != used {
            return Ok(());
        }
        if let Some(at) = columns.label {
            labels.push(&row[at]);
        }
        columns.row(row, |value| pixels.push(scale.byte(value)))
    })?;
    let mut notes: Vec<String> = scale.note().into_iter().collect();
    if count < all {
        notes.push(format!("{} rows are not for training: not used", all - count));
    }
    let mut stack = Stack {
        pixels,
        size: columns.size,
        labels: Vec::new(),
        classes: Vec::new(),
        name: entry.file_name().into(),
        format: "csv",
        notes,
    };
    if columns.label.is_some() {
        let (numbers, names) = labels.numbers();
        stack.label(&numbers, &names).map_err(fault)?;
    }
    Ok(stack)
}

/// The rows of a file.
struct Rows<'a> {
    entry: &'a Entry,
    path: &'a Path,
    columns: &'a Columns,
}

impl Rows<'_> {
    /// Calls `each` with every row but the names of the columns.
    fn each(
        &self,
        mut each: impl FnMut(&ByteRecord) -> Result<(), String>,
    ) -> Result<(), DataError> {
        let path = self.path;
        let fault = |fault| DataError::Array(path.into(), fault);
        let plain = self.entry.plain().map_err(|reason| unreadable(path, reason))?;
        // A line without an end would be read into memory.
        let stored = self.entry.stored();
        let limit = stored.saturating_mul(EXPANSION).max(FREE);
        let mut rows: Reader<Take<_>> = reader(plain.take(limit));
        let mut row = ByteRecord::new();
        let mut skip = self.columns.header;
        loop {
            let more = rows.read_byte_record(&mut row);
            if !more.map_err(|e| DataError::Read(path.into(), e.into()))? {
                break;
            }
            if !std::mem::take(&mut skip) {
                let line = row.position().map_or(0, csv::Position::line);
                each(&row).map_err(|what| fault(ArrayFault::Line(line, what)))?;
            }
        }
        match rows.get_ref().limit() {
            0 => Err(fault(ArrayFault::Expands(limit, stored))),
            _ => Ok(()),
        }
    }
}

/// Labels as they are written, and their numbers.
#[derive(Default)]
struct Labels {
    known: HashMap<Vec<u8>, i64>,
    of: Vec<i64>,
}

impl Labels {
    fn push(&mut self, label: &[u8]) {
        let next = self.known.len() as i64;
        let number = match self.known.get(label) {
            Some(&number) => number,
            // More are refused later; they must not fill the memory.
            None if self.known.len() < MOST_LABELS => {
                *self.known.entry(label.into()).or_insert(next)
            }
            None => next,
        };
        self.of.push(number);
    }

    /// A number for each row, and names. Labels that are whole numbers keep them, others are
    /// sorted.
    fn numbers(self) -> (Vec<i64>, BTreeMap<i64, String>) {
        let whole = |label: &[u8]| number(label).filter(|v| v.fract() == 0.0).map(|v| v as i64);
        let mut sorted: Vec<(&Vec<u8>, i64)> = self.known.iter().map(|(k, &v)| (k, v)).collect();
        sorted.sort();
        let numbers = sorted.iter().all(|(label, _)| whole(label).is_some());
        let mut new = HashMap::new();
        let mut names = BTreeMap::new();
        for (rank, (label, old)) in (0..).zip(sorted) {
            let number = whole(label).filter(|_| numbers).unwrap_or(rank);
            new.insert(old, number);
            if !numbers {
                names.insert(number, String::from_utf8_lossy(label).trim().to_string());
            }
        }
        let of = self.of.iter().map(|old| new.get(old).copied().unwrap_or(*old)).collect();
        (of, names)
    }
}

fn reader<R: Read>(from: R) -> Reader<R> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(from)
}

fn number(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    // Most are short integers, and there may be a hundred million.
    match field.len() {
        1..=3 if field.iter().all(u8::is_ascii_digit) => {
            Some(field.iter().fold(0.0, |n, &digit| n * 10.0 + f64::from(digit - b'0')))
        }
        _ => str::from_utf8(field).ok()?.parse().ok(),
    }
}

fn words(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// How many numbers a field lists, if it lists more than one.
fn list(field: &[u8]) -> Option<usize> {
    let count = words(field).count();
    (count > 1 && words(field).all(|word| number(word).is_some())).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Crop, DataSet, Form};
    use std::fs;

    const FORM: Form = Form { size: 8, channels: 1, crop: Crop::Center, transpose: false };

    /// The pixels of image `n`.
    fn pixels(n: usize) -> Vec<String> {
        (0..64).map(|i| ((i * 3 + n * 7) % 256).to_string()).collect()
    }

    fn open(files: &[(&str, String)]) -> Result<DataSet, DataError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        DataSet::open(dir.path(), &FORM, 1)
    }

    fn check_images(data: &DataSet, images: &[usize]) {
        assert_eq!(data.len(), images.len());
        for (i, &n) in images.iter().enumerate() {
            let got = data.with(i, <[u8]>::to_vec).unwrap();
            let want: Vec<u8> = pixels(n).iter().map(|v| v.parse().unwrap()).collect();
            assert_eq!(got, want, "image {i}");
        }
    }

    #[test]
    fn digits_as_kaggle_has_them() {
        let names: Vec<String> = (0..64).map(|i| format!("pixel{i}")).collect();
        let names = names.join(",");
        let row = |label: &str, n| format!("{label},{}\n", pixels(n).join(","));
        let train = format!("label,{names}\n{}{}{}", row("7", 0), row("3", 1), row("7", 2));
        let test = format!("{names}\n{}\n", pixels(5).join(","));
        let data = open(&[
            ("sample_submission.csv", "ImageId,Label\n1,0\n".into()),
            ("test.csv", test.clone()),
            ("train.csv", train),
        ])
        .unwrap();
        check_images(&data, &[0, 1, 2]);
        assert_eq!((data.labels().join(" "), data.label(0)), ("3 7".into(), Some(1)));
        let data = open(&[("test.csv", test)]).unwrap();
        check_images(&data, &[5]);
        // Without names; the label first.
        let bare = row("4", 3) + &row("5", 4);
        let data = open(&[("mnist_train.csv", bare)]).unwrap();
        check_images(&data, &[3, 4]);
        assert_eq!(data.labels(), ["4", "5"]);
        // As the letters of A_Z Handwritten Data: the names of columns are numbers, too.
        let names_of_numbers: Vec<String> =
            (0..65).map(|i| if i == 0 { "0".into() } else { format!("0.{i}") }).collect();
        let data =
            open(&[("az.csv", names_of_numbers.join(",") + "\n" + &row("4", 3) + &row("5", 4))]);
        check_images(&data.unwrap(), &[3, 4]);
        // The label last, and words.
        let last = |label: &str, n| format!("{},{label}\n", pixels(n).join(","));
        let data =
            open(&[("a.csv", format!("{names},class\n{}{}", last("owl", 1), last("cat", 2)))]);
        let data = data.unwrap();
        check_images(&data, &[1, 2]);
        assert_eq!((data.labels().join(" "), data.label(0)), ("cat owl".into(), Some(1)));
    }

    #[test]
    fn faces_as_fer2013_has_them() {
        let row = |label, n, part| format!("{label},{},{part}\r\n", pixels(n).join(" "));
        let text = format!(
            "emotion,pixels,Usage\r\n{}{}{}",
            row(0, 0, "Training"),
            row(6, 1, "PublicTest"),
            row(3, 2, "Training")
        );
        let data = open(&[("fer2013.csv", text)]).unwrap();
        check_images(&data, &[0, 2]);
        assert_eq!((data.labels().join(" "), data.label(1)), ("0 3".into(), Some(1)));
        assert_eq!(data.notes(), ["1 rows are not for training: not used"]);
    }

    #[test]
    fn values_of_zero_to_one() {
        let row = |at: usize| {
            let values: Vec<&str> = (0..64).map(|i| if i == at { "1.0" } else { "0" }).collect();
            values.join(",") + "\n"
        };
        let data = open(&[("a.csv", row(0) + &row(1))]).unwrap();
        assert_eq!(data.with(0, |pixels| [pixels[0], pixels[1]]).unwrap(), [255, 0]);
        assert_eq!(data.notes().len(), 1);
    }

    #[test]
    fn faults_name_the_line() {
        let good = pixels(0).join(",") + "\n";
        let word = good.replacen("0,", "x,", 1);
        let short = "1,2\n".to_string();
        let far = good.replacen("0,", "900,", 1);
        let measurements = "a,b,c\n1,2,3\n".to_string();
        let cases = [
            (good.clone() + &word, "line 2: column 1 is \"x\", not a number"),
            (good.clone() + &short, "line 2: 2 columns, the first line has 64"),
            (good.clone() + &far, "values from 0 to 900"),
            (measurements, "line 1: its columns are not a square number of pixels"),
        ];
        for (text, want) in cases {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.csv");
            fs::write(&path, text).unwrap();
            let error = DataSet::open(&path, &FORM, 1).unwrap_err().to_string();
            assert!(error.contains(want) && error.contains("a.csv"), "{error}");
        }
    }
}
