//! What an inventory takes from a topf.yaml.
