// Before the first paint, so that a chosen theme never flashes: a file of its own because the policy forbids inline scripts.
{
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
