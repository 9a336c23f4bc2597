"""The mesh in a browser: one page on this machine, served by a client of the control API, as the command line is one.

`reading` asks the running mesh once and gives what the page shows as a value; `feed` does so again and again as long
as somebody looks; `server` hands it out. The page itself is the folder `page/`: plain HTML, CSS and ES modules, without
a build and without anything from elsewhere. It draws a handful of boxes, arrows and bars; a charting library would be
more code to read, to keep and to trust than the SVG that it would save.
"""
