// Loaded into every measured process (`node --import`): answers what it has used so far, and ends it with its parent.
process.on('message', (question) => {
  if (question !== 'usage') return;
  const { user, system } = process.cpuUsage();
  process.send({
    cpuUs: user + system,
    rssBytes: process.memoryUsage.rss(),
    rssPeakBytes: process.resourceUsage().maxRSS * 1024,
  });
});
process.once('disconnect', () => process.exit());
// What is measured ends as it does without us.
process.channel.unref();
