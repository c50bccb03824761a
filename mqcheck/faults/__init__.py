"""What breaks: link, process, power and disk faults; each is an object that injects, heals and measures its effect."""
