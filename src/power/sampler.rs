//! Reading a sensor while something else runs.

use super::trace::{MOST_GAP_S, Sample, Trace};
use super::{Info, PowerError, Sensor};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often a sensor is read unless told otherwise: ten times a second.
pub const PERIOD: Duration = Duration::from_millis(100);

/// Readings that may give nothing before what there is has to do.
const PATIENCE: u64 = 5;

/// Seconds since 1970 (UTC), as traces count them.
#[must_use]
pub fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[derive(Debug, Default)]
struct Read {
    samples: Vec<Sample>,
    /// Time that reading took, seconds, and how often it was done.
    spent_s: f64,
    reads: u64,
    error: Option<PowerError>,
}

/// A sensor that is read on a thread of its own until the value is dropped.
#[derive(Debug)]
pub struct Sampler {
    info: Info,
    period: Duration,
    read: Arc<Mutex<Read>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins to read a sensor, ten times a second.
    #[must_use]
    pub fn start(sensor: Box<dyn Sensor>) -> Self {
        Self::every(PERIOD, sensor)
    }

    /// Begins to read a sensor at this pace.
    #[must_use]
    pub fn every(period: Duration, mut sensor: Box<dyn Sensor>) -> Self {
        let info = sensor.info().clone();
        let read = Arc::new(Mutex::new(Read::default()));
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(&read);
        let thread = std::thread::spawn(move || {
            loop {
                let start = Instant::now();
                let sample = sensor.sample();
                let spent_s = start.elapsed().as_secs_f64();
                let at_s = now_s();
                let Ok(mut read) = shared.lock() else { return };
                read.spent_s += spent_s;
                read.reads += 1;
                match sample {
                    Ok(watts) => read.samples.extend(watts.map(|watts| Sample { at_s, watts })),
                    Err(error) => {
                        read.error = Some(error);
                        return;
                    }
                }
                drop(read);
                if stopped.recv_timeout(period.saturating_sub(start.elapsed())) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self {
            info,
            period,
            read,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What is read.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// What was read so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace::new(self.read.lock().map(|read| read.samples.clone()).unwrap_or_default())
    }

    /// The same once it reaches this time, seconds since 1970, so that a span that ends there has a reading at its end. What is waited
    /// for is readings, not time, since a busy machine is late with them; it is what there is if the sensor is read a few times and has
    /// nothing to say, or is not read for as long as a trace bridges.
    #[must_use]
    pub fn trace_until(&self, at_s: f64) -> Trace {
        let reads = || self.read.lock().map_or(0, |read| read.reads);
        let (start, before) = (Instant::now(), reads());
        loop {
            let trace = self.trace();
            let reached = trace.samples().last().is_some_and(|sample| sample.at_s >= at_s);
            let in_vain = reads() - before > PATIENCE || start.elapsed().as_secs_f64() > MOST_GAP_S;
            if reached || in_vain || self.error().is_some() {
                return trace;
            }
            std::thread::sleep(self.period / 2);
        }
    }

    /// What reading costs: seconds for one, and the share of one core at this pace.
    #[must_use]
    pub fn overhead(&self) -> (f64, f64) {
        let seconds = self
            .read
            .lock()
            .map_or(0.0, |read| read.spent_s / read.reads.max(1) as f64);
        (seconds, seconds / self.period.as_secs_f64().max(seconds))
    }

    /// Why it ended, if it did.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.read.lock().ok()?.error.as_ref().map(ToString::to_string)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A thread that panicked has nothing more to say.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
