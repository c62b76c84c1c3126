mod bounds;
mod causes;
mod script;
