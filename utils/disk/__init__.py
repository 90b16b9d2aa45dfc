"""What is on the disk: has a file changed, is there room, is somebody else writing here?"""
