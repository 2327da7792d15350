() => {
  // Returns what the stream has told of the job that is looked at: its progress, and its stage in words.
  return window.vtProgress;
}
