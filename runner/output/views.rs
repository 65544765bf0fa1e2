//! Tables that commands show: the list of recipes, one recipe, past runs, a cluster. Takes plain data; reads nothing.
