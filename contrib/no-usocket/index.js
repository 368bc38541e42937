const error = new Error("Cannot find module 'usocket': slicectl connects without it");
error.code = 'MODULE_NOT_FOUND';
throw error;
