//! What the guards promise, and every way around them that was thought of.

mod identity;
mod order;
mod scene;
mod table;
mod ways_around;
