// A clock for pages in the background: browsers slow their timers to one a second, a worker's not.

setInterval(() => postMessage(undefined), 60);
