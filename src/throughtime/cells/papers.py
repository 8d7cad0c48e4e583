"""The papers of the built-in cells, as BibTeX: what `throughtime.cite` prints."""

ELMAN = """\
@article{elman1990finding,
  author  = {Elman, Jeffrey L.},
  title   = {Finding Structure in Time},
  journal = {Cognitive Science},
  volume  = {14},
  number  = {2},
  pages   = {179--211},
  year    = {1990}
}"""

JORDAN = """\
@inproceedings{jordan1986attractor,
  author    = {Jordan, Michael I.},
  title     = {Attractor Dynamics and Parallelism in a Connectionist Sequential
               Machine},
  booktitle = {Proceedings of the Eighth Annual Conference of the Cognitive Science
               Society},
  pages     = {531--546},
  year      = {1986}
}"""

BACKPROPAGATION = """\
@article{rumelhart1986learning,
  author  = {Rumelhart, David E. and Hinton, Geoffrey E. and Williams, Ronald J.},
  title   = {Learning Representations by Back-propagating Errors},
  journal = {Nature},
  volume  = {323},
  pages   = {533--536},
  year    = {1986}
}"""

LSTM = """\
@article{hochreiter1997long,
  author  = {Hochreiter, Sepp and Schmidhuber, J{\\"u}rgen},
  title   = {Long Short-Term Memory},
  journal = {Neural Computation},
  volume  = {9},
  number  = {8},
  pages   = {1735--1780},
  year    = {1997}
}"""

FORGET_GATE = """\
@article{gers2000learning,
  author  = {Gers, Felix A. and Schmidhuber, J{\\"u}rgen and Cummins, Fred},
  title   = {Learning to Forget: Continual Prediction with {LSTM}},
  journal = {Neural Computation},
  volume  = {12},
  number  = {10},
  pages   = {2451--2471},
  year    = {2000}
}"""

PEEPHOLES = """\
@inproceedings{gers2000recurrent,
  author    = {Gers, Felix A. and Schmidhuber, J{\\"u}rgen},
  title     = {Recurrent Nets that Time and Count},
  booktitle = {Proceedings of the International Joint Conference on Neural Networks},
  volume    = {3},
  pages     = {189--194},
  year      = {2000}
}"""

PROJECTION = """\
@misc{sak2014long,
  author = {Sak, Ha{\\c{s}}im and Senior, Andrew and Beaufays, Fran{\\c{c}}oise},
  title  = {Long Short-Term Memory Based Recurrent Neural Network Architectures for
            Large Vocabulary Speech Recognition},
  year   = {2014},
  eprint = {1402.1128},
  archivePrefix = {arXiv}
}"""

GRU = """\
@inproceedings{cho2014learning,
  author    = {Cho, Kyunghyun and van Merri{\\"e}nboer, Bart and Gulcehre, Caglar and
               Bahdanau, Dzmitry and Bougares, Fethi and Schwenk, Holger and
               Bengio, Yoshua},
  title     = {Learning Phrase Representations using {RNN} Encoder--Decoder for
               Statistical Machine Translation},
  booktitle = {Proceedings of the 2014 Conference on Empirical Methods in Natural
               Language Processing},
  pages     = {1724--1734},
  year      = {2014},
  eprint    = {1406.1078},
  archivePrefix = {arXiv}
}"""

LAYER_NORM = """\
@misc{ba2016layer,
  author = {Ba, Jimmy Lei and Kiros, Jamie Ryan and Hinton, Geoffrey E.},
  title  = {Layer Normalization},
  year   = {2016},
  eprint = {1607.06450},
  archivePrefix = {arXiv}
}"""

SEARCH_SPACE = """\
@article{greff2017lstm,
  author  = {Greff, Klaus and Srivastava, Rupesh K. and Koutn{\\'i}k, Jan and
             Steunebrink, Bas R. and Schmidhuber, J{\\"u}rgen},
  title   = {{LSTM}: A Search Space Odyssey},
  journal = {IEEE Transactions on Neural Networks and Learning Systems},
  volume  = {28},
  number  = {10},
  pages   = {2222--2232},
  year    = {2017},
  eprint  = {1503.04069},
  archivePrefix = {arXiv}
}"""

MULTIPLICATIVE = """\
@misc{krause2016multiplicative,
  author = {Krause, Ben and Lu, Liang and Murray, Iain and Renals, Steve},
  title  = {Multiplicative {LSTM} for Sequence Modelling},
  year   = {2016},
  eprint = {1609.07959},
  archivePrefix = {arXiv}
}"""

MGU = """\
@article{zhou2016minimal,
  author  = {Zhou, Guo-Bing and Wu, Jianxin and Zhang, Chen-Lin and Zhou, Zhi-Hua},
  title   = {Minimal Gated Unit for Recurrent Neural Networks},
  journal = {International Journal of Automation and Computing},
  volume  = {13},
  number  = {3},
  pages   = {226--234},
  year    = {2016},
  eprint  = {1603.09420},
  archivePrefix = {arXiv}
}"""

UGRNN = """\
@inproceedings{collins2017capacity,
  author    = {Collins, Jasmine and Sohl-Dickstein, Jascha and Sussillo, David},
  title     = {Capacity and Trainability in Recurrent Neural Networks},
  booktitle = {International Conference on Learning Representations},
  year      = {2017},
  eprint    = {1611.09913},
  archivePrefix = {arXiv}
}"""

JANET = """\
@misc{vanderwesthuizen2018unreasonable,
  author = {van der Westhuizen, Jos and Lasenby, Joan},
  title  = {The Unreasonable Effectiveness of the Forget Gate},
  year   = {2018},
  eprint = {1804.04849},
  archivePrefix = {arXiv}
}"""

INDRNN = """\
@inproceedings{li2018independently,
  author    = {Li, Shuai and Li, Wanqing and Cook, Chris and Zhu, Ce and Gao, Yanbo},
  title     = {Independently Recurrent Neural Network ({IndRNN}): Building A Longer and
               Deeper {RNN}},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern
               Recognition},
  pages     = {5457--5466},
  year      = {2018},
  eprint    = {1803.04831},
  archivePrefix = {arXiv}
}"""

EXCITATORY_INHIBITORY = """\
@article{song2016training,
  author  = {Song, H. Francis and Yang, Guangyu R. and Wang, Xiao-Jing},
  title   = {Training Excitatory-Inhibitory Recurrent Neural Networks for Cognitive
             Tasks: A Simple and Flexible Framework},
  journal = {PLoS Computational Biology},
  volume  = {12},
  number  = {2},
  pages   = {e1004792},
  year    = {2016}
}"""

ZONEOUT = """\
@inproceedings{krueger2017zoneout,
  author    = {Krueger, David and Maharaj, Tegan and Kram{\\'a}r, J{\\'a}nos and
               Pezeshki, Mohammad and Ballas, Nicolas and Ke, Nan Rosemary and
               Goyal, Anirudh and Bengio, Yoshua and Courville, Aaron and Pal, Chris},
  title     = {Zoneout: Regularizing {RNN}s by Randomly Preserving Hidden Activations},
  booktitle = {International Conference on Learning Representations},
  year      = {2017},
  note      = {arXiv:1606.01305}
}"""

DROP_CONNECT = """\
@inproceedings{merity2018regularizing,
  author    = {Merity, Stephen and Keskar, Nitish Shirish and Socher, Richard},
  title     = {Regularizing and Optimizing {LSTM} Language Models},
  booktitle = {International Conference on Learning Representations},
  year      = {2018},
  note      = {arXiv:1708.02182}
}"""

VARIATIONAL_DROPOUT = """\
@inproceedings{gal2016theoretically,
  author    = {Gal, Yarin and Ghahramani, Zoubin},
  title     = {A Theoretically Grounded Application of Dropout in Recurrent Neural
               Networks},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {29},
  year      = {2016},
  note      = {arXiv:1512.05287}
}"""

K_SPARSE = """\
@inproceedings{makhzani2014sparse,
  author    = {Makhzani, Alireza and Frey, Brendan},
  title     = {k-Sparse Autoencoders},
  booktitle = {International Conference on Learning Representations},
  year      = {2014},
  note      = {arXiv:1312.5663}
}"""

K_WINNERS = """\
@article{ahmad2019dense,
  author  = {Ahmad, Subutai and Scheinkman, Luiz},
  title   = {How Can We Be So Dense? {T}he Benefits of Using Highly Sparse
             Representations},
  journal = {arXiv preprint arXiv:1903.11257},
  year    = {2019}
}"""
