//! What the words of AWS policies mean: patterns, resources, actions, and the methods by which they lead further. Pure functions, shared
//! by whoever reads one policy (`connectors`) and whoever puts all policies of a principal together (`resolve`).

pub mod actions;
pub mod glob;
pub mod methods;
pub mod resources;
pub mod risks;
