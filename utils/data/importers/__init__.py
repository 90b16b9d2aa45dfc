"""Import data sets of others into our layout, `data/NAME/{train,test}/{fg,alpha,bg,trimap}`."""
