//! One arena, several threads, which go through the layers together.
//!
//! A layer is split into as many parts as there are threads. A free thread takes the next part, and
//! no part begins before the layer before it is complete. So a thread that the system delays, or
//! that is not awake yet, delays only the part that it has begun.
//!
//! The soundness argument is in this file alone. A [`Leader`] and its [`Worker`]s come from one
//! exclusive borrow of a [`Shared`], each with an index, and thereby a scratch area, of its own.
//! Between two images only the leader touches the arena. While an image is made, each part is taken
//! by exactly one thread, which reads the layer's inputs, complete by then, and writes its own
//! scratch and the part's own places of the output.
#![allow(unsafe_code, reason = "threads share one arena, by the rules above")]

use core::hint;
use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::cpu::{self, ArenaTooSmall};
use crate::image::{Image, PictureLength};
use crate::latent::{Latent, LatentLength};
use crate::layer::Weights;
use crate::model::Model;
use crate::plan;
use crate::simd::{self, Isa, Part, Places};

/// Polls before a thread yields, and yields before it sleeps until the next image: together some
/// tens of microseconds, about as long as a layer takes.
const SPINS: usize = 1 << 10;
const YIELDS: usize = 1 << 6;

/// What the threads share.
pub(crate) struct Shared<'a> {
    model: &'a Model<'a>,
    isa: Isa,
    arena: *mut f32,
    len: usize,
    threads: usize,
    /// Parts of an image.
    parts: usize,
    count: Count,
}

// SAFETY: the memory behind the pointer is shared by the rules at the head of this file; the rest
// is Sync.
unsafe impl Sync for Shared<'_> {}

/// How far the threads have got. The first three count parts, over all images, and wrap around.
#[derive(Default)]
struct Count {
    /// Count at which the current or last image begins.
    begun: AtomicUsize,
    /// Parts taken.
    taken: AtomicUsize,
    /// Parts done.
    done: AtomicUsize,
    /// There will be no more images.
    over: AtomicBool,
    /// A thread has panicked: waiting for it is pointless.
    broken: AtomicBool,
    /// Number of threads asleep until the next image.
    asleep: Mutex<usize>,
    call: Condvar,
}

/// What a thread does next.
enum Next {
    /// Computes this part, which is now the caller's: number of the layer, number of the part.
    Part(usize, usize),
    /// Waits for other threads.
    Wait,
    /// Waits for the image after the one that begins here.
    Image(usize),
}

/// The thread that starts images.
pub(crate) struct Leader<'s, 'a>(&'s Shared<'a>);

/// Another thread, with its index.
pub(crate) struct Worker<'s, 'a>(&'s Shared<'a>, usize);

impl<'a> Shared<'a> {
    /// For `threads` threads, at least one.
    ///
    /// # Errors
    /// [`ArenaTooSmall`] with the length that the model needs.
    pub fn new(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        threads: usize,
    ) -> Result<Shared<'a>, ArenaTooSmall> {
        let arena = cpu::fit(arena, model.arena_len_of(threads))?;
        let parts = threads * model.layers().len();
        Ok(Shared {
            model,
            isa,
            arena: arena.as_mut_ptr(),
            len: arena.len(),
            threads,
            parts,
            count: Count::new(parts),
        })
    }

    /// The threads' handles.
    pub fn split<'s>(&'s mut self) -> (Leader<'s, 'a>, impl Iterator<Item = Worker<'s, 'a>>) {
        let shared = &*self;
        let workers = (1..shared.threads).map(move |index| Worker(shared, index));
        (Leader(shared), workers)
    }

    /// Takes the next part, if one is ready.
    fn next(&self) -> Next {
        let count = &self.count;
        let begun = count.begun.load(Ordering::Acquire);
        let taken = count.taken.load(Ordering::Acquire);
        let at = taken.wrapping_sub(begun);
        if at >= self.parts {
            return Next::Image(begun);
        }
        let layer = at / self.threads;
        let done = count.done.load(Ordering::Acquire).wrapping_sub(begun);
        // An image does not end before its last part is taken: if this succeeds, `begun` and `done`
        // belong to it.
        if done < layer * self.threads
            || count
                .taken
                .compare_exchange(taken, taken.wrapping_add(1), Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return Next::Wait;
        }
        Next::Part(layer, at % self.threads)
    }

    /// Computes a part that was taken.
    ///
    /// # Safety
    /// The caller took it with [`Shared::next`], and `index` is its own.
    unsafe fn work(&self, (layer, part): (usize, usize), index: usize) {
        let part = Part::new(part, self.threads);
        // SAFETY: as promised by the caller; `next` gives out no part before the layer before is
        // complete.
        unsafe { self.layer(layer, part, index) };
        self.count.done.fetch_add(1, Ordering::AcqRel);
    }

    /// Computes a part of a layer.
    ///
    /// # Safety
    /// No other thread computes this part, has this `index`, or works on another layer.
    unsafe fn layer(&self, i: usize, part: Part, index: usize) {
        let layers = self.model.layers();
        let layer = &layers[i];
        let own = plan::scratch_len(layer);
        let own = |scratch: usize| scratch + index * own..scratch + (index + 1) * own;
        // SAFETY: ranges of the arena, by `plan::places`. Scratch and output overlap neither each
        // other nor an input. No thread writes the inputs while this layer is computed, the part of
        // the scratch is this thread's own, and every thread keeps to its part of the output.
        unsafe {
            if let Weights::Int8(int8) = &layer.weights {
                let (len, arena) = (self.len * size_of::<f32>(), self.arena.cast::<u8>());
                let at = plan::places(len, layers, i);
                let own = own(at.scratch.start);
                debug_assert!(own.end <= at.scratch.end);
                let read = |at: Range<usize>| slice::from_raw_parts(arena.add(at.start), at.len());
                let inputs = [read(at.x), read(at.other)];
                let scratch = slice::from_raw_parts_mut(arena.add(own.start), own.len());
                let y = Places::raw(arena.add(at.y.start), at.y.len());
                return simd::bytes(self.isa, (layer, int8), part, inputs, scratch, y);
            }
            let at = plan::places(self.len, layers, i);
            let own = own(at.scratch.start);
            debug_assert!(own.end <= at.scratch.end);
            let read = |at: Range<usize>| slice::from_raw_parts(self.arena.add(at.start), at.len());
            let inputs = [read(at.x), read(at.other)];
            let scratch = slice::from_raw_parts_mut(self.arena.add(own.start), own.len());
            let y = Places::raw(self.arena.add(at.y.start), at.y.len());
            simd::floats(self.isa, layer, part, inputs, scratch, y);
        }
    }
}

impl<'a> Leader<'_, 'a> {
    /// The model.
    pub fn model(&self) -> &'a Model<'a> {
        self.0.model
    }

    /// Makes one image together with the workers; it borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length, or the model
    /// takes a picture.
    ///
    /// # Panics
    /// If a worker has panicked.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        cpu::begin(self.0.model, self.arena(), latent)?;
        Ok(self.run())
    }

    /// The same from the pixels of a picture; see [`crate::Cpu::translate`].
    ///
    /// # Errors
    /// [`PictureLength`] if they are not those of such a picture, or the model takes a latent.
    ///
    /// # Panics
    /// If a worker has panicked.
    pub fn translate(&mut self, pixels: &[u8]) -> Result<Image<'_>, PictureLength> {
        cpu::begin_picture(self.0.model, self.arena(), pixels)?;
        Ok(self.run())
    }

    /// The arena between two images.
    fn arena(&mut self) -> &mut [f32] {
        // SAFETY: between two images no other thread touches the arena, which has `len` values, and
        // this leader is borrowed while it is in use.
        unsafe { slice::from_raw_parts_mut(self.0.arena, self.0.len) }
    }

    /// Makes an image from the input in the arena.
    fn run(&mut self) -> Image<'_> {
        let shared = self.0;
        let begun = shared.count.begin(shared.parts);
        let mut polls = 0;
        while shared.count.done.load(Ordering::Acquire).wrapping_sub(begun) < shared.parts {
            match shared.next() {
                Next::Part(layer, part) => {
                    // SAFETY: just taken; there is one leader, and its index is 0.
                    unsafe { shared.work((layer, part), 0) };
                    polls = 0;
                }
                Next::Wait | Next::Image(_) => {
                    let broken = shared.count.broken.load(Ordering::Acquire);
                    assert!(!broken, "another thread has panicked");
                    pause(polls);
                    polls += 1;
                }
            }
        }
        // SAFETY: all parts are done, and no thread writes before the next image, which borrows
        // this leader exclusively.
        let arena = unsafe { slice::from_raw_parts(shared.arena, shared.len) };
        cpu::finish(shared.model, arena)
    }
}

impl Drop for Leader<'_, '_> {
    fn drop(&mut self) {
        self.0.count.over.store(true, Ordering::Release);
        self.0.count.wake();
    }
}

impl Worker<'_, '_> {
    /// Computes parts of every image until the leader is dropped.
    pub fn run(self) {
        let Worker(shared, index) = self;
        let count = &shared.count;
        let _guard = Guard(count);
        let mut polls = 0;
        while !count.over.load(Ordering::Acquire) {
            match shared.next() {
                Next::Part(layer, part) => {
                    // SAFETY: just taken; this consumes the only worker with the index.
                    unsafe { shared.work((layer, part), index) };
                    polls = 0;
                    continue;
                }
                Next::Image(begun) if polls >= SPINS + YIELDS => {
                    count.sleep(begun);
                    polls = 0;
                }
                Next::Wait | Next::Image(_) => {}
            }
            pause(polls);
            polls += 1;
        }
    }
}

/// Tells the other threads of a panic in this one.
struct Guard<'c>(&'c Count);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}

impl Count {
    /// Before the first image of `parts` parts: as if one had been made.
    fn new(parts: usize) -> Count {
        Count { taken: AtomicUsize::new(parts), done: AtomicUsize::new(parts), ..Count::default() }
    }

    /// Begins an image; returns the count at which it begins.
    fn begin(&self, parts: usize) -> usize {
        let begun = self.begun.load(Ordering::Relaxed).wrapping_add(parts);
        self.begun.store(begun, Ordering::Release);
        self.wake();
        begun
    }

    /// Wakes sleeping threads.
    fn wake(&self) {
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if *asleep > 0 {
            self.call.notify_all();
        }
    }

    /// Sleeps until there is an image after the one that begins at `begun`, or there will be none.
    fn sleep(&self, begun: usize) {
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        // The lock is taken either after the change or before the notification: neither is missed.
        while self.begun.load(Ordering::Acquire) == begun && !self.over.load(Ordering::Acquire) {
            let woken = self.call.wait(asleep);
            asleep = woken.unwrap_or_else(PoisonError::into_inner);
        }
        *asleep -= 1;
    }
}

/// Spins at first, and yields to other threads if the wait is long.
fn pause(polls: usize) {
    match polls < SPINS {
        true => hint::spin_loop(),
        false => thread::yield_now(),
    }
}
