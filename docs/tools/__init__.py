"""What builds the site: pages made of other files, tutorials that run, drawn figures."""
