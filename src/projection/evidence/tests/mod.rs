mod agents;
mod bounds;
mod causes;
mod script;
