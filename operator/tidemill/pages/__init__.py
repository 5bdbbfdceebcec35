"""Reports as people read them: plain Python, so that pods and the kubectl plugin can write them."""
