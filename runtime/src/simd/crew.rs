//! One arena, several threads: they go through the layers together, each doing parts.
//!
//! A layer is cut into as many parts as there are threads. Who is free takes the next part, and none is begun before all of
//! the layer before are done: a thread that the system holds up, or that has not woken up yet, holds up no more than the part
//! that it has begun.
//!
//! What makes that sound is all in this file. A [`Leader`] and its [`Follower`]s come from one exclusive borrow of a
//! [`Table`], each with a seat, and so a scratch, that nobody else has. Between two images nobody but the leader touches
//! the arena; while one is made, whoever has taken a part, which only one can, reads the input of its layer, which is done, and
//! writes its own scratch and the part's own places of the output.

use core::hint;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::{Isa, Part, Places, cast};
use crate::cpu::ArenaTooSmall;
use crate::image::Image;
use crate::int8;
use crate::latent::{Latent, LatentLength};
use crate::model::{Layer, Model};
use crate::plan;

/// How often a thread looks again before it lets others run, and how often it does that before it sleeps until the next
/// image: some tens of microseconds, about as long as a layer takes.
const LOOKS: usize = 1 << 10;
const NAPS: usize = 1 << 6;

/// What the threads have in common.
pub(crate) struct Table<'a> {
    model: &'a Model<'a>,
    isa: Isa,
    arena: *mut f32,
    len: usize,
    threads: usize,
    /// Parts of an image.
    parts: usize,
    count: Count,
}

// SAFETY: what is behind the pointer is shared by the rules that the head of this file states; the rest is Sync.
unsafe impl Sync for Table<'_> {}

/// How far the threads have got. All three count parts, of all images, and go on from the largest number to nought.
#[derive(Default)]
struct Count {
    /// Where the image begins that is made, or was made last.
    begun: AtomicUsize,
    /// Parts that somebody has taken.
    taken: AtomicUsize,
    /// Parts that are done.
    done: AtomicUsize,
    /// There will be no more images.
    over: AtomicBool,
    /// A thread has panicked: nobody need wait for it.
    broken: AtomicBool,
    /// Threads that sleep until the next image.
    asleep: Mutex<usize>,
    call: Condvar,
}

/// What there is to do for a thread.
enum Next {
    /// This part, which is now the caller's: the layer and which of it.
    Part(usize, usize),
    /// Nothing before others have done something.
    Wait,
    /// Nothing before another image than the one that begins here.
    Image(usize),
}

/// The thread that says which image is made.
pub(crate) struct Leader<'s, 'a>(&'s Table<'a>);

/// Another thread.
pub(crate) struct Follower<'s, 'a>(&'s Table<'a>, usize);

impl<'a> Table<'a> {
    /// A table for `threads` threads, one at least.
    ///
    /// # Errors
    /// [`ArenaTooSmall`] says what the model wants.
    pub fn new(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        threads: usize,
    ) -> Result<Table<'a>, ArenaTooSmall> {
        let (need, got) = (plan::arena_len(model, threads), arena.len());
        match arena.get_mut(..need) {
            Some(arena) => Ok(Table {
                model,
                isa,
                arena: arena.as_mut_ptr(),
                len: need,
                threads,
                parts: threads * model.layers().len(),
                count: Count::new(threads * model.layers().len()),
            }),
            None => Err(ArenaTooSmall { need, got }),
        }
    }

    /// Those who sit at it, once and for all.
    pub fn seats<'s>(&'s mut self) -> (Leader<'s, 'a>, impl Iterator<Item = Follower<'s, 'a>>) {
        let table = &*self;
        let followers = (1..table.threads).map(move |seat| Follower(table, seat));
        (Leader(table), followers)
    }

    /// Takes the next part, if there is one to be taken.
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
        // An image does not end before its last part was taken: where this succeeds, `begun` and `done` were of it.
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

    /// Does a part that was taken.
    ///
    /// # Safety
    /// The caller has taken it by [`Table::next`], and nobody else has the seat.
    unsafe fn work(&self, (layer, part): (usize, usize), seat: usize) {
        let part = Part::new(part, self.threads);
        // SAFETY: as promised by the caller; `next` gives no part before all of the layer before are done.
        unsafe { self.layer(layer, &self.model.layers()[layer], part, seat) };
        self.count.done.fetch_add(1, Ordering::AcqRel);
    }

    /// A part of a layer.
    ///
    /// # Safety
    /// Nobody else does this part; no other layer is worked on.
    unsafe fn layer(&self, i: usize, layer: &Layer<'_>, part: Part, seat: usize) {
        let of_thread = plan::scratch_len(layer);
        let (len, start) = match layer.int8 {
            Some(_) => (self.len * size_of::<f32>(), self.arena.cast::<u8>()),
            None => (self.len, self.arena.cast::<u8>()),
        };
        let [x, scratch, y] = plan::places(len, i, layer);
        let own = scratch.start + seat * of_thread;
        debug_assert!(own + of_thread <= scratch.end);
        // SAFETY: three ranges of the arena that have nothing in common, by `plan::places`: nobody writes the first while
        // this layer is worked on, the second is this seat's, and of the third everyone keeps to a part.
        unsafe {
            match (&layer.int8, &layer.packed) {
                (Some(int8), _) => {
                    let x = core::slice::from_raw_parts(start.add(x.start), x.len());
                    let scratch = core::slice::from_raw_parts_mut(start.add(own), of_thread);
                    let y = Places::raw(start.add(y.start), y.len());
                    self.isa.run_int8(layer, int8, part, x, scratch, y);
                }
                (None, packed) => {
                    let x = core::slice::from_raw_parts(self.arena.add(x.start), x.len());
                    let scratch = core::slice::from_raw_parts_mut(self.arena.add(own), of_thread);
                    let y = Places::raw(self.arena.add(y.start), y.len());
                    match packed {
                        Some(packed) => self.isa.run_packed(layer, packed, part, x, scratch, y),
                        None => self.isa.run(layer, part, x, scratch, y),
                    }
                }
            }
        }
    }
}

impl<'a> Leader<'_, 'a> {
    /// The model.
    pub fn model(&self) -> &'a Model<'a> {
        self.0.model
    }

    /// Makes one image, together with every follower; it borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] where a latent of given values is not as long as the model's.
    ///
    /// # Panics
    /// If a follower's thread has.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        let table = self.0;
        let model = table.model;
        let length = model.latent();
        {
            // SAFETY: between two images, so that nobody else touches the arena, which has `len` values.
            let arena = unsafe { core::slice::from_raw_parts_mut(table.arena, table.len) };
            latent.fill_for(&mut arena[..length], model.classes())?;
            if let Some((factor, zero)) = model.quantised() {
                int8::latent(cast::bytes_mut(arena), length, factor, zero);
            }
        }
        let begun = table.count.begin(table.parts);
        let mut looks = 0;
        while table.count.done.load(Ordering::Acquire).wrapping_sub(begun) < table.parts {
            match table.next() {
                Next::Part(layer, part) => {
                    // SAFETY: just taken; there is one leader, whose seat is the first.
                    unsafe { table.work((layer, part), 0) };
                    looks = 0;
                }
                Next::Wait | Next::Image(_) => {
                    let broken = table.count.broken.load(Ordering::Acquire);
                    assert!(!broken, "another thread has panicked");
                    pause(looks);
                    looks += 1;
                }
            }
        }
        // SAFETY: all parts are done, and nobody writes before the next image, which takes this leader for itself.
        let arena = unsafe { core::slice::from_raw_parts(table.arena, table.len) };
        let layers = model.layers();
        let last = &layers[layers.len() - 1];
        Ok(match model.quantised() {
            Some(_) => {
                let bytes = plan::result(cast::bytes(arena), layers.len(), last);
                Image::from_bytes(bytes, last.output)
            }
            None => {
                let values = plan::result(arena, layers.len(), last);
                Image::new(values, last.output, model.range())
            }
        })
    }
}

impl Drop for Leader<'_, '_> {
    fn drop(&mut self) {
        self.0.count.over.store(true, Ordering::Release);
        self.0.count.wake();
    }
}

impl Follower<'_, '_> {
    /// Does parts of every image, until the leader leaves.
    pub fn follow(self) {
        let Follower(table, seat) = self;
        let count = &table.count;
        let _guard = Guard(count);
        let mut looks = 0;
        while !count.over.load(Ordering::Acquire) {
            match table.next() {
                Next::Part(layer, part) => {
                    // SAFETY: just taken; a follower is one, and is used up.
                    unsafe { table.work((layer, part), seat) };
                    looks = 0;
                    continue;
                }
                Next::Image(begun) if looks >= LOOKS + NAPS => {
                    count.sleep(begun);
                    looks = 0;
                }
                Next::Wait | Next::Image(_) => {}
            }
            pause(looks);
            looks += 1;
        }
    }
}

/// Tells the others where a thread panics.
struct Guard<'c>(&'c Count);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}

impl Count {
    /// Before the first image, of so many parts each: as if one had been made.
    fn new(parts: usize) -> Count {
        Count { taken: AtomicUsize::new(parts), done: AtomicUsize::new(parts), ..Count::default() }
    }

    /// Begins an image; where it begins.
    fn begin(&self, parts: usize) -> usize {
        let begun = self.begun.load(Ordering::Relaxed).wrapping_add(parts);
        self.begun.store(begun, Ordering::Release);
        self.wake();
        begun
    }

    /// Wakes who sleeps.
    fn wake(&self) {
        let asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        if *asleep > 0 {
            self.call.notify_all();
        }
    }

    /// Sleeps until there is another image than the one that begins at `begun`, or none any more.
    fn sleep(&self, begun: usize) {
        let mut asleep = self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep += 1;
        // The lock was taken after the change or will be before the call: neither is missed.
        while self.begun.load(Ordering::Acquire) == begun && !self.over.load(Ordering::Acquire) {
            let woken = self.call.wait(asleep);
            asleep = woken.unwrap_or_else(PoisonError::into_inner);
        }
        *asleep -= 1;
    }
}

/// Looks again, or lets another thread run where it takes long.
fn pause(looks: usize) {
    match looks < LOOKS {
        true => hint::spin_loop(),
        false => thread::yield_now(),
    }
}
