//! Batches, prepared ahead of the training step.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::error::DataError;
use super::order::Order;
use super::set::DataSet;

/// Batches that each thread keeps ready: enough to bridge a step, few enough to need little memory.
const AHEAD: usize = 2;

/// Images that a step learns from, and their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ready {
    /// The images one after the other, planes of values in [-1, 1].
    pub values: Vec<f32>,
    /// What each image is to be made from, in the same form; empty if the data has no pairs.
    pub inputs: Vec<f32>,
    /// As many images of the data's other set; empty if it has none.
    pub others: Vec<f32>,
    /// Index into [`DataSet::labels`] for each image; empty if the data has no labels.
    pub labels: Vec<usize>,
}

/// An endless sequence of batches in the order of [`Order`]. The next batch depends on the seed and
/// the number of images seen, not on the threads that prepare it.
#[derive(Debug)]
pub struct Batches {
    batch: usize,
    images: usize,
    /// Thread `t` of `n` prepares batches `t`, `t + n`, `t + 2n` and so on; so each has its own
    /// queue and the batches stay in order.
    queues: Vec<Receiver<Result<Ready, DataError>>>,
    threads: Vec<JoinHandle<()>>,
    failed: Option<io::Error>,
    next: usize,
}

impl Batches {
    /// Batches of `batch` images of `data`, starting after `first_image` images, prepared on
    /// `workers` threads (at least one).
    pub fn new(
        data: Arc<DataSet>,
        batch: usize,
        seed: u64,
        first_image: u64,
        workers: usize,
    ) -> Batches {
        let mut batches = Batches {
            batch,
            images: data.other().map_or(data.len(), |other| data.len().min(other.len())),
            queues: Vec::new(),
            threads: Vec::new(),
            failed: None,
            next: 0,
        };
        if batch > batches.images {
            return batches;
        }
        let workers = workers.max(1);
        for worker in 0..workers {
            let (queue, out) = sync_channel(AHEAD);
            let first = first_image + (worker * batch) as u64;
            let (data, stride) = (data.clone(), (workers * batch) as u64);
            let work = move || prepare(&data, batch, seed, first, stride, &queue);
            let name = format!("batches {worker}");
            match thread::Builder::new().name(name).spawn(work) {
                Ok(thread) => batches.threads.push(thread),
                Err(error) => {
                    batches.failed = Some(error);
                    break;
                }
            }
            batches.queues.push(out);
        }
        batches
    }

    /// The next batch, `batch` x channels x size x size values in [-1, 1]. Blocks until it is
    /// ready.
    ///
    /// # Errors
    /// [`DataError::BatchTooLarge`] if the data has fewer images than a batch; [`DataError::Lost`]
    /// if the file of an image that is not in memory is gone; [`DataError::Worker`] if threads
    /// cannot be started.
    #[expect(
        clippy::should_implement_trait,
        reason = "never ends, so an Option would only be in the way"
    )]
    pub fn next(&mut self) -> Result<Ready, DataError> {
        if self.batch > self.images {
            return Err(DataError::BatchTooLarge { batch: self.batch, images: self.images });
        }
        if let Some(error) = self.failed.take() {
            return Err(DataError::Worker(error));
        }
        let ended = || DataError::Worker(io::Error::other("it ended early"));
        let queue = self.queues.get(self.next).ok_or_else(ended)?;
        self.next = (self.next + 1) % self.queues.len();
        queue.recv().map_err(|_| ended())?
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // The threads end when their queues are closed.
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A thread that panicked was reported when its batch was missing.
            let _ = thread.join();
        }
    }
}

/// Sends the batches that start at the images `at`, `at + stride` and so on, until the receiver is
/// dropped.
fn prepare(
    data: &DataSet,
    batch: usize,
    seed: u64,
    mut at: u64,
    stride: u64,
    queue: &SyncSender<Result<Ready, DataError>>,
) {
    let scale: [f32; 256] = std::array::from_fn(|v| v as f32 / 127.5 - 1.0);
    let mut order = Order::new(data.len(), seed);
    // Another seed: with the same one, sets of equal length would be drawn as pairs.
    let mut order_of_others = data.other().map(|other| (other, Order::new(other.len(), !seed)));
    loop {
        let mut values = Vec::with_capacity(batch * data.form().values());
        let (mut inputs, mut others) = (Vec::new(), Vec::new());
        let mut labels = Vec::new();
        let filled = (at..at + batch as u64).try_for_each(|place| {
            let i = order.image(place);
            labels.extend(data.label(i));
            let add = |values: &mut Vec<f32>, pixels: &[u8]| {
                values.extend(pixels.iter().map(|&v| scale[usize::from(v)]));
            };
            if data.input_form().is_some() {
                data.with_input(i, |pixels| add(&mut inputs, pixels))?;
            }
            if let Some((other, order)) = &mut order_of_others {
                other.with(order.image(place), |pixels| add(&mut others, pixels))?;
            }
            data.with(i, |pixels| add(&mut values, pixels))
        });
        let ready = filled.map(|()| Ready { values, inputs, others, labels });
        if queue.send(ready).is_err() {
            return;
        }
        at += stride;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Form, Open};

    const FORM: Form =
        Form { size: 2, channels: 1, crop: crate::data::Crop::Center, transpose: false };

    fn faces(count: usize) -> Arc<DataSet> {
        Arc::new(DataSet::drawn(
            count,
            0,
            &Form { size: 8, channels: 3, crop: crate::data::Crop::Center, transpose: false },
            1,
        ))
    }

    fn take(
        data: &Arc<DataSet>,
        batch: usize,
        first: u64,
        workers: usize,
        count: usize,
    ) -> Vec<Vec<f32>> {
        let mut batches = Batches::new(data.clone(), batch, 9, first, workers);
        (0..count).map(|_| batches.next().unwrap().values).collect()
    }

    #[test]
    fn workers_and_resuming_change_nothing() {
        let data = faces(10);
        // 4 does not divide 10: batches run across epochs.
        let want = take(&data, 4, 0, 1, 20);
        // Not assert_eq: thousands of numbers explain nothing.
        for workers in [0, 2, 3, 7] {
            assert!(take(&data, 4, 0, workers, 20) == want, "{workers} workers");
        }
        for seen in 1..18 {
            let resumed = take(&data, 4, seen * 4, 2, 3);
            assert!(resumed == want[seen as usize..][..3], "after {seen} batches");
        }
        let (flat, one) = (want.concat(), data.form().values());
        let other = take(&data, 3, 5, 2, 4).concat();
        assert!(other == flat[5 * one..17 * one], "another batch, another start");
    }

    #[test]
    fn every_image_once_an_epoch() {
        let data = faces(10);
        let one = data.form().values();
        let bits = |image: &[f32]| image.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let images = take(&data, 5, 0, 2, 6).concat();
        for epoch in images.chunks(10 * one) {
            let distinct: std::collections::HashSet<_> = epoch.chunks(one).map(bits).collect();
            assert_eq!(distinct.len(), 10);
        }
    }

    #[test]
    fn planes_in_minus_one_to_one() {
        let data = faces(1);
        let values = take(&data, 1, 0, 1, 1).concat();
        let picture = data.picture(0).unwrap();
        for (x, y, pixel) in picture.enumerate_pixels() {
            for c in 0..3 {
                let want = f32::from(pixel[c]) / 127.5 - 1.0;
                assert_eq!(values[c * 64 + (y * 8 + x) as usize], want);
            }
        }
    }

    #[test]
    fn labels_come_with_their_images() {
        let form = Form { size: 8, ..FORM };
        let data = Arc::new(DataSet::digits(30, 0, &form, 1));
        let mut batches = Batches::new(data.clone(), 7, 3, 0, 2);
        for _ in 0..9 {
            let Ready { values, labels, .. } = batches.next().unwrap();
            assert_eq!(labels.len(), 7);
            for (image, label) in values.chunks_exact(64).zip(labels) {
                let is = |i: &usize| {
                    let same = |planes: &[u8]| {
                        let mut pairs = planes.iter().zip(image);
                        pairs.all(|(&p, &v)| f32::from(p) / 127.5 - 1.0 == v)
                    };
                    data.with(*i, same).unwrap() && data.label(*i) == Some(label)
                };
                assert!((0..30).any(|i| is(&i)), "no image of label {label} like this");
            }
        }
    }

    #[test]
    fn too_large_a_batch() {
        let data = Arc::new(DataSet::drawn(3, 0, &FORM, 1));
        let mut batches = Batches::new(data, 4, 0, 0, 2);
        for _ in 0..2 {
            let error = batches.next().unwrap_err().to_string();
            assert_eq!(error, "a batch of 4 images from a data set of 3");
        }
    }

    #[test]
    fn a_lost_image_is_an_error_not_a_hang() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..4 {
            let picture = image::RgbImage::from_pixel(4, 4, image::Rgb([i, i, i]));
            codecs::save(picture, dir.path().join(format!("{i}.png"))).unwrap();
        }
        let data = Arc::new(Open { budget: 0, ..Open::new(&FORM) }.path(dir.path()).unwrap());
        std::fs::remove_file(dir.path().join("2.png")).unwrap();
        let mut batches = Batches::new(data, 4, 0, 0, 2);
        let error = batches.next().unwrap_err().to_string();
        assert!(error.contains("2.png"), "{error}");
    }
}
