//! The parameters of the detector and their defaults (drop-detection §6).

/// A window of the count test, and the power that puts its probability on the scale of seven days.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WindowScale {
    /// Complete days, the judged one included.
    pub days: usize,
    /// Below 1: a shorter window must be more significant to say as much.
    pub power: f64,
}

/// The windows of the count test, in the order in which the first of equally significant ones is taken.
pub const WINDOWS: [WindowScale; 5] = [
    WindowScale { days: 7, power: 1.0 },
    WindowScale { days: 5, power: 2.0 / 3.0 },
    WindowScale { days: 3, power: 0.5 },
    WindowScale { days: 2, power: 0.4 },
    WindowScale { days: 1, power: 1.0 / 3.0 },
];
/// The power of the silence test on the same scale.
pub const SILENCE_POWER: f64 = 1.5;

/// Ties at the limits below are decided the same way everywhere.
pub(super) const TIE: f64 = 1e-9;

/// What decides how much is a drop. Companies choose the first three; the fleet gives `c0`; the others are part of what was
/// measured together and are not offered.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameters {
    /// Sensitivity: an alert opens where the adjusted p is at most this. 10⁻² is eager, 10⁻⁴ quiet.
    pub alpha: f64,
    /// The least drop against the level of eight weeks that is worth an alert, as a share.
    pub drop_min: f64,
    /// The same against the last two of those weeks; less is a decline, no sudden drop.
    pub drop_recent_min: f64,
    /// The fleet's squared coefficient of variation of a week.
    pub c0: f64,
    /// Weight of `c0` beside the account's own weeks, in degrees of freedom.
    pub d0: f64,
    /// Weeks of the level.
    pub weeks: usize,
    /// Fewer weeks say nothing.
    pub weeks_min: usize,
    /// Weight of the scatter of days in that of weeks.
    pub day_weight: f64,
    /// A week above so many times the median is cut back: imports, backfills.
    pub cap: f64,
    /// No alert opens where the last two days are back above this share of what was expected of them.
    pub still_low: f64,
    /// Extra variance where the fleet itself is off its usual level.
    pub off_variance: f64,
    /// The day factor below which a day counts as missing.
    pub dark: f64,
    /// Active days that the silence test needs.
    pub active_days_min: u32,
    /// The p at which a slow decline is told.
    pub decline_alpha: f64,
    /// The least drop of the last two weeks of a slow decline.
    pub decline_drop_min: f64,
    /// The greatest fitted change over seven weeks of a slow decline, below 0.
    pub decline_change_max: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            alpha: 1e-3,
            drop_min: 0.4,
            drop_recent_min: 0.3,
            c0: 0.04,
            d0: 8.0,
            weeks: 8,
            weeks_min: 3,
            day_weight: 0.1,
            cap: 1.5,
            still_low: 0.7,
            off_variance: 1.5,
            dark: 0.3,
            active_days_min: 5,
            decline_alpha: 1e-4,
            decline_drop_min: 0.3,
            decline_change_max: -0.2,
        }
    }
}
