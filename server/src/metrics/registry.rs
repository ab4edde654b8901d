//! What it is: how figures are declared: each once, with its name behind the prefix, its help and its labels.
//! What it is not: which there are.
//! Who calls it: `metrics`.

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    core::Collector, proto::MetricFamily,
};

/// What all names begin with, but for those of the process.
const PREFIX: &str = "socketio";

/// Bounds of times, in seconds: most are far below 5 ms within a machine, and some as long as a client may take.
const TIMES: [f64; 16] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// All figures with the prefix.
pub(super) struct Registry(prometheus::Registry);

impl Registry {
    pub(super) fn new() -> Self {
        Self(prometheus::Registry::new_custom(Some(PREFIX.into()), None).expect("the prefix is no empty text"))
    }

    fn add<C: Collector + Clone + 'static>(&self, figure: C) -> C {
        self.0.register(Box::new(figure.clone())).expect("each name is used once");
        figure
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help).expect("a valid name"))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels).expect("valid names"))
    }

    /// One of a quantile, in seconds.
    pub(super) fn quantile(&self, name: &str, help: &str, quantile: &str) -> Gauge {
        self.add(Gauge::with_opts(Opts::new(name, help).const_label("quantile", quantile)).expect("valid names"))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help).expect("a valid name"))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels).expect("valid names"))
    }

    /// Of times.
    pub(super) fn histogram(&self, name: &str, help: &str) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(TIMES.into());
        self.add(Histogram::with_opts(options).expect("a valid name"))
    }

    /// Of times, too.
    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(TIMES.into());
        self.add(HistogramVec::new(options, labels).expect("valid names"))
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.0.gather()
    }
}
